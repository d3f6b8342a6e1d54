//! A person at the pages of changes, step by step as a browser takes them: `lab approve` plays all of it at once, and here each
//! step can be left out, changed or repeated.

use story::Person;
use story::browser::{Browser, Form, Page};
use story::decide::round_trip;
use url::Url;

use super::desk::Desk;

/// An authenticator shows the next code after this many seconds.
const NEXT_CODE_S: i64 = 31;

/// Somebody at the pages, with a browser of their own. A clone is another window that has the cookies of that moment.
#[derive(Clone)]
pub(crate) struct Visitor<'d> {
    desk: &'d Desk,
    person: Person,
    pub(crate) browser: Browser,
}

impl<'d> Visitor<'d> {
    pub(crate) fn new(desk: &'d Desk, name: &str) -> Self {
        Self { desk, person: desk.caller.lab.person(name), browser: Browser::new().unwrap() }
    }

    pub(crate) fn address(&self, path: &str) -> Url {
        Url::parse(self.desk.caller.lab.url()).unwrap().join(path).unwrap()
    }

    pub(crate) async fn passes(&self, seconds: i64) {
        self.desk.caller.lab.advance(&self.desk.caller.http, seconds).await;
    }

    /// To the issuer, with everything that it asks for, and back.
    pub(crate) async fn goes(&mut self, from: &Url) -> Page {
        // A code is good for one use; nobody waits for the next.
        self.passes(NEXT_CODE_S).await;
        let clock = self.desk.caller.lab.clock();
        round_trip(&mut self.browser, from, &self.person, &clock, &|_| ()).await.unwrap()
    }

    /// Is shown the plan of a change; signs in where nobody is signed in.
    pub(crate) async fn reads(&mut self, id: &str) -> Page {
        let address = self.address(&format!("/changes/{id}"));
        let page = self.browser.get(&address).await.unwrap();
        let page = match page.link("/start") {
            Some(start) => self.goes(&start).await,
            None => page,
        };
        assert!(page.link("/decide").is_some(), "the plan is shown, and a decision offered: {}", page.text);
        page
    }

    /// The form of the decision, by the way that the page offers.
    pub(crate) async fn form(&mut self, id: &str) -> Form {
        let page = self.reads(id).await;
        let page = self.goes(&page.link("/decide").unwrap()).await;
        page.form("/decision").unwrap_or_else(|| panic!("no form: {} {}", page.status, page.text))
    }

    /// The same form, filled in by somebody to whom the page does not show it: with the token of this session's forms.
    pub(crate) async fn forged(&mut self, id: &str) -> Form {
        let page = self.browser.get(&self.address("/pages")).await.unwrap();
        let form = page.form("/signout").unwrap_or_else(|| panic!("no form: {} {}", page.status, page.text));
        let token = form.hidden.into_iter().find(|(name, _)| name == "form_token").unwrap();
        let digest = self.desk.view(id).await["submission"]["digest"].as_str().unwrap().to_owned();
        let action = self.address(&format!("/changes/{id}/decision"));
        Form { action, hidden: vec![token, ("submission".to_owned(), digest)] }
    }

    /// Sends a form of a decision; the code of its refusal.
    pub(crate) async fn approves(&mut self, form: &Form) -> Result<(), String> {
        let fields = [("reason", "Read, and decided"), ("verdict", "approve")];
        let done = self.browser.submit(form, &fields).await.unwrap();
        match done.refusal_code() {
            None if done.status == 200 => Ok(()),
            code => Err(code.unwrap_or_else(|| format!("{} {}", done.status, done.text))),
        }
    }
}
