//! The whole pipeline over the connector of a lab.
#![cfg(test)]

use std::collections::BTreeMap;
use std::ops::Deref;

use connector_suites::{Rig, RigOptions};
use platform::Secret;

use crate::lab::{Lab, NAME, PASSWORD};

pub(crate) struct Road(Rig);

impl Deref for Road {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.0
    }
}

fn credential(password: &str) -> BTreeMap<String, Secret> {
    [("username".to_owned(), "svc-interlock".into()), ("password".to_owned(), password.into())].into()
}

impl Road {
    pub(crate) async fn over(lab: &Lab) -> Self {
        let options = RigOptions {
            name: NAME,
            connector: lab.connector.clone(),
            clock: lab.clock.clone(),
            credential: credential(PASSWORD),
        };
        Self(Rig::new(options).await)
    }

    pub(crate) async fn store_password(&self, password: &str) {
        self.put_credential(credential(password)).await;
    }
}
