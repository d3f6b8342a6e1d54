//! The approver's page, played over HTTP as a person with a browser and an authenticator app goes through it: sign in, read
//! the plan, give a new factor for it, decide with a reason. `interlock lab approve|reject` and the tests use it; there is no
//! other way to approve.

use platform::error::Refusal;
use platform::{Clock, Error, ErrorKind};
use serde::Serialize;
use url::Url;

use crate::browser::{Browser, Page, elements, seen};
use crate::sign_in::{Person, through_the_pages};

/// What is decided.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Address of the platform.
    pub platform: Url,
    /// Id of the change.
    pub change: String,
    /// Approve, or reject.
    pub approve: bool,
    /// Why.
    pub reason: String,
}

/// What the person saw before they decided, and what the page said then.
#[derive(Debug, Clone, Serialize)]
pub struct Decided {
    /// The change's title.
    pub title: String,
    /// What the page warned of.
    pub warnings: Vec<String>,
    /// Devices that change in the same way, and how.
    pub groups: Vec<SeenGroup>,
    /// What the page said after the decision.
    pub said: String,
}

/// Devices that change in the same way.
#[derive(Debug, Clone, Serialize)]
pub struct SeenGroup {
    /// Host names.
    pub devices: Vec<String>,
    /// Lines with their signs.
    pub difference: Vec<String>,
}

/// Decides as `person`. Errors: the code of the page's own refusal; `lab_not_running`, `sign_in_failed`.
pub async fn decide(
    wish: &Wish,
    person: &Person,
    clock: &dyn Clock,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Decided, Error> {
    let mut browser = Browser::new()?;
    let address = wish.platform.join(&format!("/changes/{}", wish.change)).map_err(Error::internal)?;
    let page = browser.get(&address).await?;
    let start = page.link("/start").ok_or_else(|| refusal(&page))?;
    let page = round_trip(&mut browser, &start, person, clock, progress).await?;
    if page.status != 200 {
        return Err(refusal(&page));
    }
    let shown = Shown::on(&page);
    // Whoever may not decide is not offered the way there; somebody who goes all the same is told why not.
    let there = wish.platform.join(&format!("/changes/{}/decide", wish.change)).map_err(Error::internal)?;
    let page = round_trip(&mut browser, &page.link("/decide").unwrap_or(there), person, clock, progress).await?;
    let form = page.form("/decision").ok_or_else(|| refusal(&page))?;
    let verdict = if wish.approve { "approve" } else { "reject" };
    let done = browser.submit(&form, &[("reason", &wish.reason), ("verdict", verdict)]).await?;
    let said = elements(&done.text, "p", "good").next().map(seen);
    match said.filter(|_| done.status == 200) {
        Some(said) => Ok(Decided { title: shown.title, warnings: shown.warnings, groups: shown.groups, said }),
        None => Err(refusal(&done)),
    }
}

/// To the issuer, through its pages, and back to the page that follows.
async fn round_trip(
    browser: &mut Browser,
    from: &Url,
    person: &Person,
    clock: &dyn Clock,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Page, Error> {
    let page = browser.get(from).await?;
    let away = page.location.clone().ok_or_else(|| refusal(&page))?;
    if away.origin() == from.origin() && away.path().starts_with("/changes/") {
        return browser.get(&away).await;
    }
    let back = through_the_pages(browser, &away, person, clock, progress).await?;
    let page = browser.get(&back).await?;
    match &page.location {
        Some(to) => browser.get(to).await,
        None => Ok(page),
    }
}

/// What stands on the page of a change.
struct Shown {
    title: String,
    warnings: Vec<String>,
    groups: Vec<SeenGroup>,
}

impl Shown {
    fn on(page: &Page) -> Self {
        let title = page.text.split_once("<h1>").and_then(|(_, rest)| rest.split("</h1>").next()).unwrap_or_default();
        let warning = |html: &str| seen(&html.replace("</strong>", "</strong> ").replace("</li>", "</li>; "));
        let trimmed = |text: String| text.trim_end_matches([' ', ';']).to_owned();
        let group = |html: &str| SeenGroup {
            devices: ["strong", "span"].into_iter().flat_map(|name| elements(html, name, "host").map(seen)).collect(),
            difference: elements(html, "pre", "diff")
                .flat_map(|html| seen(html).lines().map(str::to_owned).collect::<Vec<_>>())
                .collect(),
        };
        Self {
            title: seen(title),
            warnings: elements(&page.text, "div", "alarm").map(warning).map(trimmed).collect(),
            groups: elements(&page.text, "section", "group").map(group).collect(),
        }
    }
}

/// What the page refused, by its own code and sentence.
fn refusal(page: &Page) -> Error {
    let kind = match page.status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        422 => ErrorKind::InvalidInput,
        503 => ErrorKind::Unavailable,
        _ => ErrorKind::Upstream,
    };
    let (Some(code), Some(message)) = (page.refusal_code(), page.alert()) else {
        let message = format!("{} answered {} and said nothing that helps.", page.url, page.status);
        return Error::new(ErrorKind::Upstream, "page_unexpected", message);
    };
    let refusal = Refusal {
        code,
        message: seen(&message),
        unmet: Vec::new(),
        next: None,
        url: Some(page.url.to_string()),
        change_id: None,
        retry_after_s: None,
        details: None,
    };
    Error::replayed(kind, refusal)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{Shown, refusal};
    use crate::browser::Page;

    fn page(status: u16, text: &str) -> Page {
        let url = Url::parse("http://127.0.0.1:1/changes/chg-1").unwrap();
        Page { url, status, location: None, retry_after: None, text: text.to_owned() }
    }

    #[test]
    fn what_is_seen_is_the_text_of_the_page_and_nothing_else() {
        let shown = Shown::on(&page(
            200,
            "<h1>A &amp; B</h1><div class=\"alarm\" role=\"note\"><strong>Danger: sw-3</strong><ul><li>aaa: \
             <code>aaa x</code></li></ul></div><section class=\"group\"><h3>2 devices</h3><p class=\"device\"><strong \
             class=\"host\">sw-1</strong></p><p><strong class=\"host\">sw-2</strong></p><pre class=\"diff\" \
             tabindex=\"0\"><span class=\"same\">  interface X\n</span><span class=\"add\">+  description &lt;a&gt;\n\
             </span></pre></section>",
        ));
        assert_eq!(shown.title, "A & B");
        assert_eq!(shown.warnings, ["Danger: sw-3 aaa: aaa x"]);
        assert_eq!(shown.groups.len(), 1);
        assert_eq!(shown.groups[0].devices, ["sw-1", "sw-2"]);
        assert_eq!(shown.groups[0].difference, ["  interface X", "+  description <a>"]);
    }

    #[test]
    fn a_refusal_of_the_page_keeps_its_code() {
        let refused = refusal(&page(
            403,
            "<p class=\"bad\">You asked for this change.</p><p>Code: <a href=\"/errors/approver_is_requester\"><code>x</code></a></p>",
        ));
        assert_eq!((refused.code(), refused.message()), ("approver_is_requester", "You asked for this change."));
    }
}
