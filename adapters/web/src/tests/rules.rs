// SPDX-License-Identifier: Apache-2.0
//! Addresses that may and may not be reached.

use crate::{Rules, Why, check_url, location::Location};

#[test]
fn addresses_are_judged_by_what_they_reach() {
    let rules = Rules::public();
    let table = [
        ("0.0.0.0", Why::Unspecified),
        ("0.1.2.3", Why::Unspecified),
        ("127.0.0.1", Why::Loopback),
        ("127.255.255.255", Why::Loopback),
        ("169.254.169.254", Why::LinkLocal),
        ("10.0.0.1", Why::Private),
        ("172.16.0.1", Why::Private),
        ("172.31.255.255", Why::Private),
        ("192.168.1.1", Why::Private),
        ("100.64.0.1", Why::Private),
        ("100.100.100.200", Why::Private),
        ("192.0.0.192", Why::Reserved),
        ("192.0.2.1", Why::Reserved),
        ("198.18.0.1", Why::Reserved),
        ("203.0.113.9", Why::Reserved),
        ("224.0.0.1", Why::Multicast),
        ("240.0.0.1", Why::Reserved),
        ("255.255.255.255", Why::Reserved),
        ("::", Why::Unspecified),
        ("::1", Why::Loopback),
        ("::ffff:127.0.0.1", Why::Loopback),
        ("::ffff:169.254.169.254", Why::LinkLocal),
        ("::7f00:1", Why::Tunnel),
        ("64:ff9b::7f00:1", Why::Loopback),
        ("64:ff9b::a9fe:a9fe", Why::LinkLocal),
        ("64:ff9b:1::a00:1", Why::Tunnel),
        ("2002:7f00:1::", Why::Tunnel),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Why::Tunnel),
        ("2600::5efe:a00:1", Why::Tunnel),
        ("fe80::1", Why::LinkLocal),
        ("fd00:ec2::254", Why::Private),
        ("fec0::1", Why::Private),
        ("ff02::1", Why::Multicast),
        ("2001:db8::1", Why::Reserved),
        ("4000::1", Why::Reserved),
    ];
    for (address, why) in table {
        assert_eq!(rules.check(address.parse().unwrap()), Err(why), "{address}");
        assert_eq!(Rules::everything().check(address.parse().unwrap()), Ok(()), "{address}");
    }
    for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"] {
        assert_eq!(rules.check(address.parse().unwrap()), Ok(()), "{address}");
    }
}

#[test]
fn ranges_of_the_operator_come_first() {
    let rules = Rules::public().refuse("9.9.9.0/24".parse().unwrap()).allow("192.168.7.0/24".parse().unwrap());
    assert_eq!(rules.check("9.9.9.9".parse().unwrap()), Err(Why::Own));
    assert_eq!(rules.check("::ffff:9.9.9.9".parse().unwrap()), Err(Why::Own));
    assert_eq!(rules.check("192.168.7.1".parse().unwrap()), Ok(()));
    assert_eq!(rules.check("::ffff:192.168.7.1".parse().unwrap()), Ok(()));
    assert_eq!(rules.check("192.168.8.1".parse().unwrap()), Err(Why::Private));
}

#[test]
fn urls_are_read_strictly() {
    for url in [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "filesystem:///etc/shadow",
        "swift+config://x/y",
        "http://",
        "http:///x",
        "http://user@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org /",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:8o/",
        "http://[::1%25lo]/",
        "http://exämple.org/",
        "example.org/x",
        "",
    ] {
        assert!(check_url(url).is_err(), "{url}");
    }
    let place = Location::parse("HTTPS://Example.org:8443/a/b?c=d#e").unwrap();
    assert_eq!((place.is_https, place.host.as_str(), place.port, place.path.as_str()), (true, "example.org", 8443, "/a/b?c=d"));
    for (target, url) in [
        ("https://other.org/x", "https://other.org/x"),
        ("//other.org", "https://other.org/"),
        ("/x?y", "https://example.org:8443/x?y"),
        ("x", "https://example.org:8443/a/x"),
    ] {
        assert_eq!(place.follow(target).unwrap().url(), url);
    }
    assert!(place.follow("javascript:alert(1)").is_err());
}
