//! What the store keeps of users and clients, and that seeding twice changes nothing.

use interlock_issuer::{GrantType, NewClient, NewUser};

use crate::lab::{CLIENT_SECRET, Lab, PASSWORD, TOTP_SECRET, alice, native_client};

#[tokio::test]
async fn seeding_the_same_again_writes_nothing_and_keeps_the_subject() {
    let lab = Lab::start().await;
    let (sub, writes) = (lab.issuer.create_user(alice()).await.unwrap(), lab.store.transactions());
    assert_eq!(lab.issuer.create_user(alice()).await.unwrap(), sub);
    lab.issuer.create_client(native_client()).await.unwrap();
    assert_eq!(lab.store.transactions(), writes);

    let real = NewUser { name: "dave".into(), seeded: false, ..alice() };
    lab.issuer.create_user(real.clone()).await.unwrap();
    let writes = lab.store.transactions();
    lab.issuer.create_user(real).await.unwrap();
    assert_eq!(lab.store.transactions(), writes, "an unchanged password is recognised without a digest too");

    let changed = NewUser { groups: vec!["operators".into()], ..alice() };
    assert_eq!(lab.issuer.create_user(changed).await.unwrap(), sub);
    assert_eq!(lab.store.transactions(), writes + 1);
}

#[tokio::test]
async fn t5_the_store_holds_no_secret_in_clear() {
    let lab = Lab::start().await;
    let everything = lab.store.text();
    assert!(everything.contains("alice") && everything.contains("machine"));
    for secret in [PASSWORD, TOTP_SECRET, CLIENT_SECRET] {
        assert!(!everything.contains(secret));
    }
}

#[tokio::test]
async fn users_and_clients_that_make_no_sense_are_refused() {
    let lab = Lab::start().await;
    for user in [
        NewUser { name: "no spaces".into(), ..alice() },
        NewUser { name: String::new(), ..alice() },
        NewUser { display_name: String::new(), ..alice() },
        NewUser { password: "short".into(), ..alice() },
        NewUser { totp_secret: Some("JBSWY3DPEHPK3PXP".into()), ..alice() },
        NewUser { totp_secret: None, mfa_always: true, ..alice() },
    ] {
        assert_eq!(lab.issuer.create_user(user).await.unwrap_err().code(), "user_invalid");
    }
    for client in [
        NewClient { client_id: "a b".into(), ..native_client() },
        NewClient { secret: Some("short".into()), ..native_client() },
        NewClient { grants: vec![GrantType::ClientCredentials], ..native_client() },
        NewClient { redirect_uris: vec!["http://app.example/cb".into()], ..native_client() },
    ] {
        assert_eq!(lab.issuer.create_client(client).await.unwrap_err().code(), "client_invalid");
    }
}
