//! The least of a browser that a sign-in needs: it keeps cookies by path, shows redirects instead of following them, and
//! finds the form or link on a page. Nothing here knows the platform.

use std::time::Duration;

use cookie::Cookie;
use platform::{Error, ErrorKind};
use reqwest::header::{COOKIE, HeaderMap, LOCATION, RETRY_AFTER, SET_COOKIE};
use reqwest::redirect::Policy;
use url::Url;

/// A browser with its cookies; one per person.
pub(crate) struct Browser {
    client: reqwest::Client,
    cookies: Vec<Kept>,
}

struct Kept {
    host: String,
    path: String,
    name: String,
    value: String,
}

/// A page, or a redirect.
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    /// Where a 3xx leads.
    pub(crate) location: Option<Url>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) text: String,
}

/// A form with its hidden fields.
pub(crate) struct Form {
    pub(crate) action: Url,
    pub(crate) hidden: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new() -> Result<Self, Error> {
        #[expect(
            clippy::disallowed_methods,
            reason = "it plays a person's browser, which the platform's clients must not"
        )]
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            // The lab listens on loopback without TLS; no authority of the machine is needed or trusted.
            .tls_certs_only([])
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, cookies: Vec::new() })
    }

    /// The client below, for requests that carry no cookies.
    pub(crate) fn bare(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) async fn get(&mut self, url: &Url) -> Result<Page, Error> {
        self.send(self.client.get(url.clone()), url).await
    }

    pub(crate) async fn submit(&mut self, form: &Form, fields: &[(&str, &str)]) -> Result<Page, Error> {
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = hidden.chain(fields.iter().copied()).collect();
        self.send(self.client.post(form.action.clone()).form(&all), &form.action).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder, url: &Url) -> Result<Page, Error> {
        let mut request = request;
        if let Some(cookies) = self.cookies_for(url) {
            request = request.header(COOKIE, cookies);
        }
        let response = request.send().await.map_err(|error| unreachable(url, &error))?;
        self.keep(url, response.headers());
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        let location = header(LOCATION).and_then(|to| url.join(to).ok());
        let retry_after = header(RETRY_AFTER).and_then(|s| s.parse().ok()).map(Duration::from_secs);
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| unreachable(url, &error))?;
        Ok(Page { url: url.clone(), status, location, retry_after, text })
    }

    fn cookies_for(&self, url: &Url) -> Option<String> {
        let fits = |kept: &&Kept| url.host_str() == Some(&kept.host) && below(url.path(), &kept.path);
        let pairs: Vec<String> =
            self.cookies.iter().filter(fits).map(|kept| format!("{}={}", kept.name, kept.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep(&mut self, url: &Url, headers: &HeaderMap) {
        for text in headers.get_all(SET_COOKIE).iter().filter_map(|v| v.to_str().ok()) {
            let Ok(cookie) = Cookie::parse(text) else { continue };
            let (host, path) = (url.host_str().unwrap_or_default().to_owned(), cookie.path().unwrap_or("/").to_owned());
            self.cookies.retain(|kept| !(kept.name == cookie.name() && kept.path == path && kept.host == host));
            let gone = cookie.max_age().is_some_and(|age| age.is_zero() || age.is_negative());
            if !gone {
                self.cookies.push(Kept {
                    host,
                    path,
                    name: cookie.name().to_owned(),
                    value: cookie.value().to_owned(),
                });
            }
        }
    }
}

/// RFC 6265, section 5.1.4.
fn below(path: &str, of: &str) -> bool {
    path == of || path.strip_prefix(of).is_some_and(|rest| of.ends_with('/') || rest.starts_with('/'))
}

pub(crate) fn unreachable(url: &Url, error: &reqwest::Error) -> Error {
    let origin = url.origin().ascii_serialization();
    let message =
        format!("Nothing answers at {origin}; start the lab again with `interlock lab`, or wait until it is ready.");
    Error::new(ErrorKind::Unavailable, "lab_not_running", message).with_detail(error)
}

impl Page {
    /// The form whose action ends with `path`.
    pub(crate) fn form(&self, path: &str) -> Option<Form> {
        let (tag, rest) =
            tags(&self.text, "form").find(|(tag, _)| attribute(tag, "action").is_some_and(|a| a.ends_with(path)))?;
        let action = self.url.join(attribute(tag, "action")?).ok()?;
        let inside = rest.split("</form>").next().unwrap_or_default();
        let hidden = tags(inside, "input")
            .filter(|(tag, _)| attribute(tag, "type") == Some("hidden"))
            .filter_map(|(tag, _)| Some((attribute(tag, "name")?.to_owned(), attribute(tag, "value")?.to_owned())))
            .collect();
        Some(Form { action, hidden })
    }

    /// The link whose address ends with `path`.
    pub(crate) fn link(&self, path: &str) -> Option<Url> {
        let (tag, _) =
            tags(&self.text, "a").find(|(tag, _)| attribute(tag, "href").is_some_and(|a| a.ends_with(path)))?;
        self.url.join(attribute(tag, "href")?).ok()
    }

    /// The code of a refusal, by the link to its page.
    pub(crate) fn refusal_code(&self) -> Option<String> {
        let mut links = tags(&self.text, "a").filter_map(|(tag, _)| attribute(tag, "href"));
        links.find_map(|href| href.strip_prefix("/errors/")).map(str::to_owned)
    }

    /// What the page says went wrong.
    pub(crate) fn alert(&self) -> Option<String> {
        let (_, rest) = tags(&self.text, "p")
            .find(|(tag, _)| attribute(tag, "role") == Some("alert") || attribute(tag, "class") == Some("bad"))?;
        rest.split("</p>").next().map(|text| text.trim().to_owned())
    }
}

/// What stands in the elements of that name and class, tags and all; none holds another of its name.
pub(crate) fn elements<'a>(text: &'a str, name: &'a str, class: &'a str) -> impl Iterator<Item = &'a str> {
    let has = move |tag: &str| attribute(tag, "class").is_some_and(|all| all.split(' ').any(|c| c == class));
    let end = format!("</{name}>");
    tags(text, name).filter(move |(tag, _)| has(tag)).map(move |(_, rest)| rest.split(&end).next().unwrap_or_default())
}

/// The text of a piece of a page as eyes see it: without tags, and with what was escaped.
pub(crate) fn seen(html: &str) -> String {
    let mut parts = html.split('<');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('>').map_or("", |(_, after)| after));
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Opening tags of one name, each with the text after it.
fn tags<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('<')?;
            rest = after;
            let Some(inside) = after.strip_prefix(name) else { continue };
            if inside.starts_with([' ', '>']) {
                let (tag, after) = inside.split_once('>')?;
                rest = after;
                return Some((tag, after));
            }
        }
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split('"').next()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{Browser, Page, below};

    fn page(text: &str) -> Page {
        let url = Url::parse("http://127.0.0.1:1/issuer/authorize").unwrap();
        Page { url, status: 200, location: None, retry_after: None, text: text.to_owned() }
    }

    #[test]
    fn a_form_is_found_by_its_address_and_keeps_its_hidden_fields() {
        let page = page(
            "<p class=\"alert\" role=\"alert\">No.</p><form method=\"post\" action=\"/issuer/sign-in\">\
             <input type=\"hidden\" name=\"csrf\" value=\"c\"><input id=\"u\" name=\"username\"></form>\
             <form action=\"/other\"><input type=\"hidden\" name=\"x\" value=\"y\"></form><a class=\"b\" href=\"/elevate/1/start\">Go</a>",
        );
        let form = page.form("/sign-in").unwrap();
        assert_eq!(form.action.as_str(), "http://127.0.0.1:1/issuer/sign-in");
        assert_eq!(form.hidden, [("csrf".to_owned(), "c".to_owned())]);
        assert!(page.form("/sign-in/otp").is_none());
        assert_eq!(page.link("/start").unwrap().path(), "/elevate/1/start");
        assert_eq!(page.alert().as_deref(), Some("No."));
    }

    #[test]
    fn cookies_of_one_name_on_two_paths_do_not_mix() {
        let mut browser = Browser::new().unwrap();
        let set = |browser: &mut Browser, text: &str| {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert("set-cookie", text.parse().unwrap());
            browser.keep(&Url::parse("http://127.0.0.1:1/").unwrap(), &headers);
        };
        set(&mut browser, "interlock_signin=a; Path=/signin; HttpOnly");
        set(&mut browser, "interlock_signin=b; Path=/issuer");
        let sent = |browser: &Browser, path: &str| {
            browser.cookies_for(&Url::parse(&format!("http://127.0.0.1:1{path}")).unwrap())
        };
        assert_eq!(sent(&browser, "/signin/callback").as_deref(), Some("interlock_signin=a"));
        assert_eq!(sent(&browser, "/issuer/sign-in").as_deref(), Some("interlock_signin=b"));
        set(&mut browser, "interlock_signin=; Path=/issuer; Max-Age=0");
        assert_eq!(sent(&browser, "/issuer/sign-in"), None);
        assert!(!below("/signing", "/signin"));
    }
}
