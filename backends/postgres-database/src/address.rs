//! The address of a database: `postgres://<user>@<host>[:<port>]/<database>[?sslmode=…]`, as libpq writes it
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>), and no password in it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use platform::{Error, ErrorKind};
use url::Url;

/// PostgreSQL's port.
const PORT: u16 = 5432;

/// Where a database is and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where its server listens.
    pub(crate) host: Host,
    /// Port; it is part of a socket's name too.
    pub(crate) port: u16,
    /// Role.
    pub(crate) user: String,
    /// Database.
    pub(crate) database: String,
    /// Whether the connection is encrypted and the server's certificate verified.
    pub(crate) encrypted: bool,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or an address.
    Name(String),
    /// A folder with a Unix socket.
    Socket(PathBuf),
}

impl Address {
    /// Whether a backend's URL is one of these.
    pub fn is_one(url: &str) -> bool {
        url.starts_with("postgres:") || url.starts_with("postgresql:")
    }

    /// Reads a URL.
    ///
    /// The connection is encrypted, and the server's certificate verified with its name, unless the host is a loopback
    /// address or a socket; `sslmode=require` (or `verify-full`, which is the same here) asks for it there too, and nothing
    /// switches it off elsewhere. A socket is its folder in the place of the host, percent-encoded: `%2Frun%2Fpostgresql`.
    ///
    /// Errors: `store_url_has_password`, `store_url_invalid`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            Error::new(
                ErrorKind::InvalidInput,
                "store_url_invalid",
                format!("The URL of the PostgreSQL database cannot be used: {why}"),
            )
        };
        // The text itself is in no error: it may hold a password.
        let url = Url::parse(text).map_err(|_| invalid("it is not `postgres://<user>@<host>/<database>`."))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(invalid("its scheme is not `postgres`."));
        }
        if url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "store_url_has_password",
                "The URL of the PostgreSQL database holds a password; put it into the secret store and take it out of the URL.",
            ));
        }
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(|text| text.into_owned()).ok();
        let named = url.host_str().filter(|host| !host.is_empty());
        let host = named.map(|host| decoded(host).ok_or_else(|| invalid("its host is no text."))).transpose()?;
        let mut mode = None;
        for (key, value) in url.query_pairs() {
            match key.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                other => return Err(invalid(&format!("`{other}` is not known in its query."))),
            }
        }
        let host = match host {
            None => return Err(invalid("it names no host.")),
            Some(folder) if folder.starts_with('/') => Host::Socket(folder.into()),
            Some(name) => Host::Name(name.trim_matches(['[', ']']).to_owned()),
        };
        let encrypted = match (mode.as_deref(), host.is_local()) {
            (None, local) => !local,
            (Some("require" | "verify-full"), _) => true,
            (Some("disable"), true) => false,
            (Some("disable"), false) => {
                return Err(invalid("`sslmode=disable` is for a loopback address or a socket only."));
            }
            (Some(_), _) => return Err(invalid("`sslmode` is `require`, `verify-full` or `disable`.")),
        };
        if encrypted && matches!(host, Host::Socket(_)) {
            return Err(invalid("a socket has no TLS."));
        }
        let user = decoded(url.username()).filter(|user| !user.is_empty());
        let database = decoded(url.path().trim_start_matches('/')).filter(|name| !name.is_empty());
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            user: user.ok_or_else(|| invalid("it names no user."))?,
            database: database.ok_or_else(|| invalid("it names no database."))?,
            encrypted,
        })
    }
}

impl Host {
    fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Name(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        }
    }
}

/// Without what is default: fit for a log line.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{}@{name}:{}/{}", self.user, self.port, self.database),
            Host::Socket(folder) => write!(f, "{}@{}/{}", self.user, folder.display(), self.database),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Host};

    fn code(url: &str) -> String {
        Address::parse(url).map_or_else(|error| error.code().to_owned(), |address| format!("{address:?}"))
    }

    #[test]
    fn an_address_says_where_who_and_whether_it_is_encrypted() {
        let far = Address::parse("postgres://il%40x@db.example:5433/interlock").unwrap();
        assert_eq!(far.to_string(), "il@x@db.example:5433/interlock");
        assert!(far.encrypted);
        for (url, encrypted) in [
            ("postgres://il@127.0.0.1/interlock", false),
            ("postgresql://il@[::1]/interlock", false),
            ("postgres://il@localhost/interlock?sslmode=require", true),
            ("postgres://il@localhost/interlock?sslmode=disable", false),
            ("postgres://il@10.0.0.1/interlock", true),
            ("postgres://il@db.example/interlock?sslmode=verify-full", true),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.encrypted, address.port), (encrypted, 5432), "{url}");
        }
        let socket = Address::parse("postgres://il@%2Frun%2Fpostgresql/interlock").unwrap();
        assert_eq!((socket.host, socket.encrypted), (Host::Socket("/run/postgresql".into()), false));
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in
            ["postgres://il:hunter2@db/x", "postgres://il@db/x?password=hunter2", "postgres://il:@db/x?password="]
        {
            let refused = Address::parse(url).unwrap_err();
            assert_eq!(refused.code(), "store_url_has_password", "{url}");
            assert!(!format!("{refused} {:?}", refused.detail()).contains("hunter2"));
        }
    }

    #[test]
    fn what_is_not_whole_or_not_known_or_would_not_be_encrypted_is_refused() {
        for url in [
            "sqlite:store.db",
            "postgres:",
            "postgres://db/x",
            "postgres://il@db",
            "postgres://il@db/",
            "postgres://il@/x",
            "postgres://il@db/x?sslmode=prefer",
            "postgres://il@db/x?sslmode=disable",
            "postgres://il@db/x?host=/run/postgresql",
            "postgres://il@%2Frun%2Fpostgresql/x?sslmode=require",
            "postgres://il@db/x?options=-cfsync=off",
            "postgres://il@db:port/x",
        ] {
            assert_eq!(code(url), "store_url_invalid", "{url}");
        }
    }
}
