//! A browser without a window, driven over WebDriver (W3C, 2018): HTTP with JSON, to a driver that the test starts.

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// The browser itself broke: it did not start, crashed, or did not answer. That says nothing about the page.
struct Broken(String);

/// So often a browser may break before that is a failure.
const BROWSERS: usize = 3;

/// Looks at something in a browser of its own, and in another one if the browser breaks. What `look` asserts, what the page
/// throws and what it lacks fails at once; a page that breaks every browser fails too.
pub fn in_browser(look: impl Fn(&mut Browser)) {
    for left in (0..BROWSERS).rev() {
        let told = catch_unwind(AssertUnwindSafe(|| look(&mut Browser::start())));
        match told.map_err(|panic| panic.downcast::<Broken>()) {
            Ok(()) => return,
            Err(Ok(broken)) if left > 0 => {
                eprintln!("the browser broke, another one is started: {}", broken.0)
            }
            Err(Ok(broken)) => panic!("{BROWSERS} browsers broke, the last one with: {}", broken.0),
            Err(Err(panic)) => resume_unwind(panic),
        }
    }
}

/// What a driver says (W3C WebDriver, 6.6) when the page or the test is to blame.
const OURS: [&str; 7] = [
    "element click intercepted",
    "element not interactable",
    "invalid argument",
    "javascript error",
    "no such element",
    "stale element reference",
    "unexpected alert open",
];

/// A browser. Ends with the value.
pub struct Browser {
    driver: Child,
    /// Held open: a driver that can say nothing any more ends.
    _said: Lines<BufReader<ChildStdout>>,
    port: u16,
    session: String,
    folder: TempDir,
}

/// How the browser is started: without a window, and without asking its maker for anything.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
    "--window-size=1600,1000",
];

impl Browser {
    fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("these tests need a browser (`chromedriver`: {error}): apt-get install chromium chromium-driver")
            });
        let mut said = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .unwrap_or_else(|| {
                panic_any(Broken("the driver ended before it said on which port it listens".into()))
            });
        let folder = TempDir::new().expect("there is room");
        let mut browser = Self { driver, _said: said, port, session: String::new(), folder };
        let profile = format!("--user-data-dir={}", browser.folder.path().join("profile").display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }}});
        let session = browser.ask("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().expect("a session has a name").to_owned();
        browser
    }

    /// Opens a page from a file of its own.
    pub fn open_page(&mut self, html: &str) {
        let path = self.folder.path().join("page.html");
        std::fs::write(&path, html).expect("there is room");
        self.say("url", &json!({ "url": format!("file://{}", path.display()) }));
    }

    /// Ends the browser under whoever looks at it.
    pub fn break_it(&mut self) {
        self.kill();
    }

    /// The driver and what it started: a driver that is killed leaves its browser running.
    fn kill(&mut self) {
        if let Ok(None) = self.driver.try_wait() {
            kill_process_group(Pid::from_child(&self.driver), Signal::KILL).expect("its driver runs");
        }
        let _ = self.driver.wait();
    }

    /// What a script returns.
    pub fn run(&mut self, script: &str) -> Value {
        self.say("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a script returns after the page has drawn what was due.
    pub fn settled(&mut self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0], look = () => {{ {script} }};
             requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(look()))));"
        );
        self.say("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Clicks into the middle of an element, as a person would.
    pub fn click(&mut self, selector: &str) {
        let element = self.element(selector);
        self.say(&format!("element/{element}/click"), &json!({}));
    }

    /// Writes into a field.
    pub fn write(&mut self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.say(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses a key, on the page and not in a field.
    pub fn press_key(&mut self, key: &str) {
        self.run(&format!(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}))"
        ));
    }

    fn element(&mut self, selector: &str) -> String {
        let found = self.say("element", &json!({ "using": "css selector", "value": selector }));
        let name = found.as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
        name.unwrap_or_else(|| panic!("no `{selector}`: {found}")).to_owned()
    }

    /// Keeps a picture of the page among the files of the build, to be looked at. How many bytes it has.
    pub fn screenshot(&mut self, name: &str) -> usize {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = self.ask("GET", &path, &Value::Null);
        let bytes = from_base64(picture.as_str().expect("a picture is text"));
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(file, &bytes).expect("there is room");
        bytes.len()
    }

    /// What the page's console was told: errors and warnings.
    pub fn complaints(&mut self) -> Vec<String> {
        let log = self.say("se/log", &json!({ "type": "browser" }));
        log.as_array().expect("a list").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses of everything that the page asked for, itself included. (What the browser shows before it asks for itself.)
    pub fn requests(&mut self) -> Vec<String> {
        let log = self.say("se/log", &json!({ "type": "performance" }));
        let events = log.as_array().expect("a list").iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            let is_ours = message["params"]["documentURL"].as_str()?.starts_with("file://");
            let url = message["params"]["request"]["url"].as_str()?;
            (is_request && is_ours).then(|| url.to_owned())
        });
        events.collect()
    }

    fn say(&mut self, what: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        self.ask("POST", &path, body)
    }

    /// One question and its answer. Panics with what the driver says if it refuses.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self
            .exchange(method, path, body)
            .unwrap_or_else(|error| panic_any(Broken(format!("{method} {path}: {error}"))));
        let value = &answer["value"];
        match value.get("error").and_then(Value::as_str) {
            None => value.clone(),
            Some(ours) if OURS.contains(&ours) => panic!("{method} {path}: {value}"),
            Some(_) => panic_any(Broken(format!("{method} {path}: {value}"))),
        }
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that failed has said why; the browser has to end all the same, and with it its children.
        if !self.session.is_empty() && !std::thread::panicking() {
            let path = format!("/session/{}", self.session);
            let _ = self.exchange("DELETE", &path, &Value::Null);
        }
        self.kill();
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let Some(digit) = DIGITS.iter().position(|known| *known == letter) else { continue };
        (bits, count) = (bits << 6 | digit as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
