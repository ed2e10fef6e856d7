//! Somebody sits at the console: getty, login(1) with a password, a shell.

use usher_tests::Container;

/// The console from now on: what was read is not read again.
pub(crate) struct Screen<'c> {
    container: &'c mut Container,
    read: usize,
    number: u32,
}

impl<'c> Screen<'c> {
    /// Logs in at the prompt of getty.
    pub(crate) fn login(container: &'c mut Container, user: &str, password: &str) -> Self {
        let read = container.console().rfind("login:").unwrap_or(0);
        let mut screen = Self { container, read, number: 0 };
        screen.expect("login: ");
        screen.container.type_in(&format!("{user}\n"));
        screen.expect("Password: ");
        screen.container.type_in(&format!("{password}\n"));
        screen.expect("$ ");
        screen
    }

    /// Waits for that text, and reads to its end.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let read = self.read;
        let mut found = None;
        self.container.wait_for(&format!("{text:?} on the console"), || {
            let seen = self.container.console();
            let new = seen.get(read..).unwrap_or("");
            found = new.find(text).map(|at| (new[..at].to_owned(), read + at + text.len()));
            found.is_some()
        });
        let (before, end) = found.unwrap_or_default();
        self.read = end;
        before
    }

    /// Types a command and returns what it writes.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.number += 1;
        let number = self.number;
        // The quotes keep the echo of the typed line from looking like the answer.
        self.container.type_in(&format!("echo '<''{number}>'; {command}; echo '</''{number}>'\n"));
        self.expect(&format!("<{number}>\n"));
        self.expect(&format!("</{number}>")).trim().to_owned()
    }

    /// Logs out, and waits for the next prompt of getty.
    pub(crate) fn logout(mut self) {
        self.container.type_in("exit\n");
        self.expect("login: ");
    }
}
