//! People at work: open shells that were reached through real PAM applications.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::command::{Output, stop};
use super::{DEADLINE, Machine};
use crate::wait;

/// Options for the ssh client; the machine's ssh_config holds the rest.
const SSH: [&str; 3] = ["ssh", "-o", "ConnectionAttempts=3"];

const QUIET: &str =
    "stty -echo; PS1=; PS2=; PROMPT_COMMAND=; bind 'set enable-bracketed-paste off' 2>/dev/null";

/// An open login shell that does what it is told; hung up on when the value is dropped.
#[derive(Debug)]
pub struct Shell<'m> {
    machine: &'m Machine,
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    seen: Arc<Mutex<String>>,
}

impl Machine {
    /// Runs one command line through real ssh, by key, as `ssh USER@localhost COMMAND` does, and returns what it wrote.
    ///
    /// # Panics
    /// When it fails.
    pub fn ssh(&self, user: &str, command: &str) -> Output {
        let output = self.try_ssh(user, command);
        if !output.ok() {
            self.fail(&format!("`ssh {user}@localhost {command}` failed: {output}"));
        }
        output
    }

    /// Like [`ssh`](Self::ssh), but a command that fails is an answer too.
    pub fn try_ssh(&self, user: &str, command: &str) -> Output {
        self.start_sshd();
        let destination = format!("{user}@localhost");
        let mut words = SSH.to_vec();
        words.extend([destination.as_str(), command]);
        self.try_run(&words)
    }

    /// Logs in through real ssh with a terminal and stays.
    pub fn ssh_session(&self, user: &str) -> Shell<'_> {
        self.start_sshd();
        let destination = format!("{user}@localhost");
        let mut words = SSH.to_vec();
        words.extend(["-tt", destination.as_str()]);
        self.shell(&format!("ssh {destination}"), &words)
    }

    /// Logs in through the real login(1), on a terminal of its own, and stays.
    pub fn login(&self, user: &str) -> Shell<'_> {
        self.terminal(&format!("login -f {user}"))
    }

    /// Becomes the user through the real su(1) with a login shell, from root without a session, and stays.
    pub fn su(&self, user: &str) -> Shell<'_> {
        self.terminal(&format!("su - {user}"))
    }

    /// Runs any command that ends in an interactive shell, on a terminal of its own (script(1) makes it).
    pub fn terminal(&self, command: &str) -> Shell<'_> {
        self.shell(command, &["script", "--quiet", "--flush", "--return", "--command", command, "/dev/null"])
    }

    fn shell(&self, name: &str, words: &[&str]) -> Shell<'_> {
        let mut shell = self.start_shell(name, self.command(words));
        shell.settle();
        shell
    }

    fn start_shell(&self, name: &str, mut command: Command) -> Shell<'_> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| self.fail(&format!("cannot run `{name}`: {error}")));
        let seen = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take(), &seen);
        collect(child.stderr.take(), &seen);
        let input = child.stdin.take();
        Shell { machine: self, name: name.to_owned(), child, input, seen }
    }
}

impl Shell<'_> {
    /// Turns off echo, prompts and colours, so that what is read are answers. Typed again and again until the shell is
    /// there to hear it: login(1) throws away what was typed ahead.
    fn settle(&mut self) {
        let number = self.machine.number();
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.say(&format!("{QUIET}; echo '<''{number}>'"));
            let pause = Instant::now() + Duration::from_millis(300);
            if wait::until(pause, || self.seen().contains(&format!("<{number}>"))) {
                return;
            }
            if Instant::now() >= deadline || matches!(self.child.try_wait(), Ok(Some(_))) {
                self.fail("no shell came");
            }
        }
    }

    /// Types a line and does not wait.
    pub fn say(&mut self, line: &str) {
        let typed = self.input.as_mut().map(|input| input.write_all(format!("{line}\n").as_bytes()));
        if !matches!(typed, Some(Ok(()))) {
            self.fail(&format!("cannot type `{line}`"));
        }
    }

    /// Types a command, waits for its end and returns what it wrote, standard error included.
    ///
    /// # Panics
    /// When it fails or does not end within [`DEADLINE`].
    pub fn ask(&mut self, command: &str) -> String {
        let (code, text) = self.try_ask(command);
        if code != 0 {
            self.fail(&format!("`{command}` failed with exit code {code}: {text}"));
        }
        text
    }

    /// Like [`ask`](Self::ask), but a command that fails is an answer too: its exit code and what it wrote.
    pub fn try_ask(&mut self, command: &str) -> (i32, String) {
        let number = self.machine.number();
        // The quotes keep an echo of the typed line from looking like the answer.
        // One line in all: what is typed ahead, a program such as sudo may take for its own.
        let quoted = command.replace('\'', r"'\''");
        self.say(&format!("echo '<''{number}>'; eval '{quoted}'; echo '<'/'{number}' $?'>'"));
        let (begin, end) = (format!("<{number}>"), format!("</{number} "));
        let mut answer = None;
        let deadline = Instant::now() + DEADLINE;
        wait::until(deadline, || {
            let seen = self.seen();
            answer = between(&seen, &begin, &end);
            answer.is_some() || matches!(self.child.try_wait(), Ok(Some(_)))
        });
        // The last words of a shell that has ended may come after its end.
        answer
            .or_else(|| between(&self.seen(), &begin, &end))
            .unwrap_or_else(|| self.fail(&format!("no answer to `{command}`")))
    }

    /// Everything that was on the screen since the start.
    pub fn seen(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace('\r', "")
    }

    /// Logs out with `exit` and waits for the end of the PAM application.
    pub fn close(mut self) {
        self.say("exit 0");
        match wait::child(&mut self.child, Instant::now() + DEADLINE) {
            Ok(Some(_)) => {}
            Ok(None) => self.fail(&format!("the shell did not end within {DEADLINE:?} after `exit`")),
            Err(error) => self.fail(&format!("cannot wait for it: {error}")),
        }
    }

    /// Hangs up without a word: kills the terminal's or connection's client end.
    pub fn hang_up(mut self) {
        let _ = stop(&mut self.child);
    }

    /// Waits until it ends by itself, for shells that someone else terminates.
    pub fn wait_closed(&mut self, limit: Duration) {
        match wait::child(&mut self.child, Instant::now() + limit) {
            Ok(Some(_)) => {}
            Ok(None) => self.fail(&format!("the shell was to end within {limit:?}")),
            Err(error) => self.fail(&format!("cannot wait for it: {error}")),
        }
    }

    fn fail(&self, message: &str) -> ! {
        self.machine.fail(&format!("{}: {message}\n---- its screen\n{}\n----", self.name, self.seen()))
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        let _ = stop(&mut self.child);
    }
}

/// The text between two marks and the exit code in the second one: `<7>TEXT</7 CODE>`.
fn between(seen: &str, begin: &str, end: &str) -> Option<(i32, String)> {
    let (_, rest) = seen.split_once(begin)?;
    let (text, rest) = rest.split_once(end)?;
    let (code, _) = rest.split_once('>')?;
    Some((code.trim().parse().ok()?, text.trim_matches('\n').to_owned()))
}

fn collect(pipe: Option<impl Read + Send + 'static>, seen: &Arc<Mutex<String>>) {
    let seen = Arc::clone(seen);
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn answers_are_found_between_their_marks() {
        let seen = "$ echo '<''7>'; id\n<7>\nuid=0\n</7 0>\n";
        assert_eq!(between(seen, "<7>", "</7 "), Some((0, "uid=0".to_owned())));
        assert_eq!(between("<7>\n", "<7>", "</7 "), None);
        assert_eq!(between("<7>\nno\n</7 1", "<7>", "</7 "), None);
    }
}
