//! What a login gets, and what not.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use usher_tests::Container;

/// Says in one line each: session, runtime directory, its file system and owner, whether the user's manager answers.
pub(crate) const QUESTIONS: &str = "echo session=$XDG_SESSION_ID; echo directory=$XDG_RUNTIME_DIR; \
    stat -f -c 'type=%T' \"$XDG_RUNTIME_DIR\"; stat -c 'owner=%u mode=%a' \"$XDG_RUNTIME_DIR\"; \
    echo manager=$(systemctl --user is-active default.target marks.service | tr '\\n' ' ')";

/// alice or bob was given all that usher gives.
pub(crate) fn is_served(container: &Container, answer: &str, uid: u32) {
    let expected = [
        format!("directory=/run/user/{uid}"),
        "type=tmpfs".to_owned(),
        format!("owner={uid} mode=700"),
        "manager=active active".to_owned(),
    ];
    for line in expected {
        assert!(
            answer.lines().any(|other| other.trim() == line),
            "no line {line} in:\n{answer}\n{}",
            container.dump()
        );
    }
    let session = answer.lines().find_map(|line| line.strip_prefix("session=")).unwrap_or("");
    assert!(session.trim().parse::<u32>().is_ok(), "no session in:\n{answer}\n{}", container.dump());
}

/// The login went well, without usher.
pub(crate) fn is_plain(container: &Container, answer: &str) {
    for line in ["session=", "directory="] {
        let found = answer.lines().any(|other| other.trim() == line);
        assert!(found, "no line {line} in:\n{answer}\n{}", container.dump());
    }
}

/// Logs in with ssh, runs that, and logs out.
pub(crate) fn ssh(container: &Container, user: &str, command: &str) -> String {
    container.run(&["ssh", &format!("{user}@localhost"), command]).stdout
}

/// An ssh login that stays until the value is dropped.
pub(crate) struct Ssh {
    client: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// What the questions were answered with.
    pub(crate) answer: String,
}

impl Ssh {
    pub(crate) fn login(container: &Container, user: &str) -> Self {
        let mut command = container.command(&["ssh", &format!("{user}@localhost"), "exec bash"]);
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        let mut ssh = Self { client, stdin, stdout, answer: String::new() };
        ssh.answer = ssh.ask(container, QUESTIONS);
        ssh
    }

    /// Runs a line of shell there and returns what it writes.
    pub(crate) fn ask(&mut self, container: &Container, line: &str) -> String {
        let sent = self.stdin.write_all(format!("{line}\necho .\n").as_bytes());
        sent.unwrap_or_else(|error| panic!("ssh ended ({error})\n{}", container.dump()));
        let mut answer = String::new();
        let mut byte = [0];
        while !answer.ends_with("\n.\n") && answer != ".\n" {
            let length = self.stdout.read(&mut byte).unwrap();
            assert!(length > 0, "ssh ended: {answer}\n{}", container.dump());
            answer.push(char::from(byte[0]));
        }
        answer.trim_end_matches(".\n").trim_end().to_owned()
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
