// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used)]

use super::*;

const URL: &str = "http://127.0.0.1:8080/identity/v3";

fn entry(name: &str, password: &str) -> Entry {
    Entry {
        name: name.into(),
        home: "/var/lib/ferrostack".into(),
        auth_url: URL.into(),
        username: if name.ends_with("demo") { "demo" } else { "admin" }.into(),
        password: password.into(),
        project: "admin".into(),
        region: "RegionOne".into(),
        cacert: None,
    }
}

const THEIRS: &str = "# mine\nclouds:\n    work:   # keep\n        auth:\n            auth_url: https://x\n    home:\n        profile: y\ncache:\n  expiration_time: 3600\n";

#[test]
fn others_stay_as_they_are() {
    let ours = ["ferrostack".to_owned(), "ferrostack-demo".to_owned()];
    let once = merged(THEIRS, &[entry("ferrostack", "a: \"b\"'#"), entry("ferrostack-demo", "x")]).unwrap();
    assert!(once.starts_with("# mine\nclouds:\n    work:   # keep\n"));
    assert!(once.ends_with("cache:\n  expiration_time: 3600\n"));
    let again = merged(&once, &[entry("ferrostack", "a: \"b\"'#"), entry("ferrostack-demo", "x")]).unwrap();
    assert_eq!(once, again);
    let changed = merged(&once, &[entry("ferrostack", "new")]).unwrap();
    assert!(changed.contains("\"new\"") && changed.contains("ferrostack-demo") && changed.contains("# keep"));
    assert_eq!(without(&once, &ours).unwrap(), THEIRS);
    assert_eq!(without(THEIRS, &ours).unwrap(), THEIRS);
    let alone = merged("cache:\n  x: y\n", &[entry("ferrostack", "x"), entry("ferrostack-demo", "x")]).unwrap();
    assert_eq!(without(&alone, &ours).unwrap(), "cache:\n  x: y\n");
}

#[test]
fn a_new_file() {
    let text = merged("", &[entry("ferrostack", "x")]).unwrap();
    assert!(text.starts_with("clouds:\n  ferrostack:\n    # of the cloud in /var/lib/ferrostack\n"), "{text}");
}

#[test]
fn what_cannot_be_merged_is_left_alone() {
    assert!(merged("clouds: {a: {b: c}}\n", &[entry("ferrostack", "x")]).is_err());
    assert!(merged("clouds:\n  - a\n", &[entry("ferrostack", "x")]).is_err());
    assert!(without("clouds: {ferrostack: {b: c}}\n", &["ferrostack".to_owned()]).is_err());
}

/// Clouds of one host, whose entries are in one file.
struct Office {
    folder: tempfile::TempDir,
}

impl Office {
    fn new(before: &str) -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(office.path(), before).unwrap();
        office
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("clouds.yaml")
    }

    fn open(&self) -> CloudsYaml {
        CloudsYaml::open(&self.path()).unwrap()
    }

    fn home(&self, name: &str) -> Home {
        let state = self.folder.path().join(name);
        fs::create_dir_all(&state).unwrap();
        Home::at(state)
    }

    /// As `up` does.
    fn enter(&self, home: &Home, port: u16) -> Names {
        let url = format!("http://127.0.0.1:{port}/identity/v3");
        let names = self.open().names(home, &url);
        let of = |name: &str| Entry { home: home.state.clone(), auth_url: url.clone(), ..entry(name, &format!("of {port}")) };
        self.open().merge(&[of(&names.admin), of(&names.demo)]).unwrap();
        names
    }

    /// As `destroy` does.
    fn leave(&self, home: &Home, port: u16) {
        self.open().remove(home, &format!("http://127.0.0.1:{port}/identity/v3")).unwrap();
        fs::remove_dir_all(&home.state).unwrap();
    }

    fn leads_to(&self, name: &str) -> Option<String> {
        self.open().password_of(name)
    }
}

#[test]
fn a_cloud_beside_another_has_names_of_its_own_and_takes_away_only_those() {
    let office = Office::new(THEIRS);
    let (one, two) = (office.home("one"), office.home("two"));
    let first = office.enter(&one, 1);
    assert_eq!(first, Names { admin: "ferrostack".into(), demo: "ferrostack-demo".into() });
    let second = office.enter(&two, 2);
    assert_eq!(second.admin, format!("ferrostack-{}", two.tag()));
    assert_eq!((office.enter(&one, 1), office.enter(&two, 2)), (first.clone(), second.clone()), "they stay");
    // Also with another address.
    assert_eq!(office.enter(&one, 3), first);
    assert_eq!(office.leads_to("ferrostack-demo").unwrap(), "of 3");
    assert_eq!(office.leads_to(&second.demo).unwrap(), "of 2");

    office.leave(&one, 3);
    assert_eq!(office.leads_to("ferrostack"), None);
    assert_eq!(office.leads_to(&second.admin).unwrap(), "of 2");
    assert_eq!(office.enter(&two, 2), second, "whoever uses its names finds it under them");
    office.leave(&two, 2);
    assert_eq!(fs::read_to_string(office.path()).unwrap(), THEIRS);
}

#[test]
fn entries_without_a_mark_are_known_by_where_they_lead() {
    let office = Office::new("");
    let (one, two) = (office.home("one"), office.home("two"));
    office.enter(&one, 1);
    let text = fs::read_to_string(office.path()).unwrap();
    // As an earlier build wrote them.
    let unmarked: String = text.lines().filter(|line| !line.contains(MARK)).map(|line| format!("{line}\n")).collect();
    fs::write(office.path(), unmarked).unwrap();
    assert_ne!(office.enter(&two, 2).admin, "ferrostack");
    assert_eq!(office.enter(&one, 1).admin, "ferrostack");
    office.leave(&two, 2);
    office.leave(&one, 1);
    assert!(!office.path().exists(), "we had made it");
}

#[test]
fn what_a_cloud_left_that_is_gone_is_nobodys() {
    let office = Office::new("");
    let (one, two) = (office.home("one"), office.home("two"));
    office.enter(&one, 1);
    fs::remove_dir_all(&one.state).unwrap();
    assert_eq!(office.enter(&two, 2).admin, "ferrostack");
    assert_eq!(office.leads_to("ferrostack-demo").unwrap(), "of 2");
}

#[test]
fn an_entry_of_the_users_own_is_not_taken() {
    let office =
        Office::new("clouds:\n  ferrostack:\n    auth:\n      auth_url: https://elsewhere.test\n      username: admin\n");
    let one = office.home("one");
    assert_eq!(office.enter(&one, 1).admin, format!("ferrostack-{}", one.tag()));
    office.leave(&one, 1);
    assert!(fs::read_to_string(office.path()).unwrap().contains("elsewhere.test"));
}

#[test]
fn a_password_is_kept_where_the_entry_leads_to_this_cloud_and_not_where_it_led_to_one_that_is_gone() {
    let office = Office::new("");
    let (one, two) = (office.home("one"), office.home("two"));
    office.enter(&one, 1);
    let url = |port| format!("http://127.0.0.1:{port}/identity/v3");
    assert_eq!(office.open().kept_password("ferrostack-demo", "demo", &one, &url(1)).unwrap(), "of 1");
    assert_eq!(office.open().kept_password("ferrostack-demo", "demo", &two, &url(1)), None);
    fs::remove_dir_all(&one.state).unwrap();
    assert_eq!(office.open().kept_password("ferrostack-demo", "demo", &two, &url(2)), None);
}
