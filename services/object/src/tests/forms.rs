// SPDX-License-Identifier: Apache-2.0
//! Files that come by a page's form.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::*;

struct Form {
    path: &'static str,
    redirect: &'static str,
    size: u64,
    count: u64,
    expires: i64,
}

impl Form {
    fn text(&self) -> String {
        let Self { path, redirect, size, count, expires } = self;
        format!("/v1/AUTH_p1/{path}\n{redirect}\n{size}\n{count}\n{expires}")
    }

    fn body(&self, signature: &str, files: &[(&str, &str)]) -> Vec<u8> {
        let [size, count, expires] = [self.size.to_string(), self.count.to_string(), self.expires.to_string()];
        let fields = [
            ("redirect", self.redirect),
            ("max_file_size", &size),
            ("max_file_count", &count),
            ("expires", &expires),
            ("signature", signature),
        ];
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
        }
        for (name, content) in files {
            body.push_str(&format!(
                "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\nContent-Type: text/x\r\n\r\n{content}\r\n"
            ));
        }
        (body + "--b--\r\n").into_bytes()
    }
}

async fn post(talk: &Talk, path: &str, body: Vec<u8>) -> Said {
    talk.header("content-type", "multipart/form-data; boundary=b").send("POST", &format!("{ACCOUNT}/{path}"), body).await
}

fn sha256(key: &str, text: &str) -> String {
    hex::encode(Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(text).finalize().into_bytes())
}

#[tokio::test]
async fn a_form_puts_what_was_signed_and_nothing_else() {
    let it = start().await;
    let (talk, visitor) = (it.member(), it.talk.clone());
    container(&talk, "c").await;
    container(&talk, "d").await;
    talk.header("x-account-meta-temp-url-key", "secret").send("POST", ACCOUNT, Vec::new()).await.expect(204);
    let later = types::Timestamp::now().seconds() + 60;
    let form = Form { path: "c/in-", redirect: "", size: 20, count: 2, expires: later };
    let good = sha256("secret", &form.text());
    let files = [("one", "hello"), ("two\r\nX-Evil: 1", "x"), ("../../three", "y")];
    post(&visitor, "c/in-", form.body(&good, &files[..1])).await.expect(201);
    let said = get(&talk, "c/in-one").await;
    assert_eq!((said.body.as_str().unwrap(), header(&said, "content-type")), ("hello", "text/x"));
    let sha1 = hex::encode(Hmac::<Sha1>::new_from_slice(b"secret").unwrap().chain_update(form.text()).finalize().into_bytes());
    post(&visitor, "c/in-", form.body(&sha1, &[("../../three", "y")])).await.expect(201);
    assert_eq!(get(&talk, "c/in-..%2F..%2Fthree").await.status, 200);
    post(&visitor, "c/in-", form.body(&good, &[("a", "1"), ("b", "2"), ("c", "3")])).await.expect(400);
    post(&visitor, "c/in-", form.body(&good, &[("large", &"x".repeat(21))])).await.expect(413);
    get(&talk, "c/in-large").await.expect(404);
    post(&visitor, "c/in-", form.body(&good, &[])).await.expect(400);

    // Another place, more of it, later, another key: none is what was signed.
    for path in ["c/", "c/other", "d/in-", "c"] {
        post(&visitor, path, form.body(&good, &files[..1])).await.expect(401);
    }
    let [larger, more, longer] = [
        Form { path: "c/in-", redirect: "", size: 21, ..form },
        Form { path: "c/in-", redirect: "", count: 3, ..form },
        Form { path: "c/in-", redirect: "", expires: later + 1, ..form },
    ];
    for other in [&larger, &more, &longer] {
        post(&visitor, "c/in-", other.body(&good, &files[..1])).await.expect(401);
    }
    post(&visitor, "c/in-", form.body(&sha256("guess", &form.text()), &files[..1])).await.expect(401);
    let past = Form { path: "c/in-", redirect: "", size: 20, count: 2, expires: later - 120 };
    post(&visitor, "c/in-", past.body(&sha256("secret", &past.text()), &files[..1])).await.expect(401);
    // Nor does a token help.
    post(&talk, "c/in-", form.body("guess", &files[..1])).await.expect(401);

    let form = Form { path: "c/", redirect: "https://site.test/done?x=1", size: 20, count: 2, expires: later };
    let said = post(&visitor, "c", form.body(&sha256("secret", &form.text()), &files[..1])).await;
    assert_eq!((said.status.as_u16(), header(&said, "location")), (303, "https://site.test/done?x=1&status=201&message="));
    it.is_sound().await;
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let it = start().await;
    for (kind, body) in [
        ("multipart/form-data", &b"--b\r\n\r\n"[..]),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nvalue"),
        ("multipart/form-data; boundary=b", b"--b\r\nno head at all\r\n\r\n\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--bb--"),
    ] {
        let said = it.talk.header("content-type", kind).send("POST", &format!("{ACCOUNT}/c"), body.to_vec()).await;
        assert_eq!(said.status, 400, "{}", said.body);
    }
}
