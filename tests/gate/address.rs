//! Where a URL in a token may lead: a table, in every notation that URL parsers take.

use std::net::IpAddr;

use patchcord::outward::address::{Forbidden, check, is_public};
use proptest::prelude::*;

#[test]
fn public_https_addresses_are_reached() {
    for url in [
        "https://app.example.com/api/config",
        "https://APP.example.com./api?x=1#y",
        "https://app.example.com:8443/",
        "https://xn--bcher-kva.example/",
        "https://bücher.example/",
        "https://8.8.8.8/",
        "https://134744072/",
        "https://172.15.255.255/",
        "https://172.32.0.0/",
        "https://100.63.255.255/",
        "https://100.128.0.0/",
        "https://[2606:4700:4700::1111]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[64:ff9b::8.8.8.8]/",
        "https://internal.example.com/",
        "https://localhost.example.com/",
        "https://127.0.0.1.example.com/",
        "https://app.example.com:443/",
        "https://app.example.com:1024/",
        "https://0x08.0x08.0x08.0x08/",
        "https://010.8.8.8/",
    ] {
        assert!(check(url, false).is_ok(), "{url}: {:?}", check(url, false));
    }
}

#[test]
fn everything_else_is_not() {
    use Forbidden::*;
    let table = [
        (NotHttps, "http://app.example.com/"),
        (NotHttps, "ftp://app.example.com/"),
        (NotHttps, "file:///etc/passwd"),
        (NotHttps, "gopher://app.example.com/"),
        (NotHttps, "data:text/plain,x"),
        (NotHttps, "wss://app.example.com/"),
        (NotAUrl, ""),
        (NotAUrl, "app.example.com"),
        (NotAUrl, "//app.example.com/"),
        (NotAUrl, "https://"),
        (NotAUrl, "https://256.1.1.1/"),
        (NotAUrl, "https://[::1/"),
        (NotAUrl, "https://[fe80::1%25eth0]/"),
        (NotAUrl, "https://[fe80::1%eth0]/"),
        (NotAUrl, "https://[::ffff:0x7f.0.0.1]/"),
        (NotAUrl, "https://[::ffff:127.1]/"),
        (NotAUrl, "https://[127.0.0.1]/"),
        (NotAUrl, "https://4294967296/"),
        (NotAUrl, "https://1.2.3.4.5/"),
        (NotAUrl, "https://08.8.8.8/"),
        (NotAUrl, "https://app example.com/"),
        (NotAUrl, "https://app.example.com:99999/"),
        (NotAUrl, "https://app.example.com:x/"),
        (Credentials, "https://user@app.example.com/"),
        (Credentials, "https://user:word@app.example.com/"),
        (Credentials, "https://app.example.com@127.0.0.1/"),
        (Credentials, "https://127.0.0.1@app.example.com/"),
        (Credentials, "https://app.example.com:443@127.0.0.1/"),
        (Credentials, "https://@127.0.0.1@app.example.com/"),
        (Credentials, "https://:word@app.example.com/"),
        (Port, "https://app.example.com:0/"),
        (Port, "https://app.example.com:22/"),
        (Port, "https://app.example.com:1023/"),
        (Port, "https://app.example.com:25/"),
        (Port, "https://app.example.com:80/"),
        (NotPublic, "https://127.0.0.1/"),
        (NotPublic, "https://127.1/"),
        (NotPublic, "https://127.255.255.254/"),
        (NotPublic, "https://0/"),
        (NotPublic, "https://0.0.0.0/"),
        (NotPublic, "https://2130706433/"),
        (NotPublic, "https://0x7f000001/"),
        (NotPublic, "https://0x7f.1/"),
        (NotPublic, "https://017700000001/"),
        (NotPublic, "https://0177.0.0.1/"),
        (NotPublic, "https://127.0.0.1./"),
        (NotPublic, "https://%31%32%37.0.0.1/"),
        (NotPublic, "https://１２７.０.０.１/"),
        (NotPublic, "https://127。0。0。1/"),
        (NotPublic, "https://①②⑦.⓪.⓪.①/"),
        (NotPublic, "https://127.0.0.1\u{ad}/"),
        (NotPublic, "https://127%2e0%2e0%2e1/"),
        (NotPublic, "https://127.0.0.1../"),
        (NotPublic, "https://0X7F.0X0.0x1/"),
        (NotPublic, "https://0x/"),
        (NotPublic, "https://0300.0250.1.1/"),
        (NotPublic, "https://0251.0376.0251.0376/"),
        (NotPublic, "https://169.254.43518/"),
        (NotPublic, "https://10.1/"),
        (NotPublic, "https://127.0.0.1:8443/"),
        (NotPublic, "https://@127.0.0.1/"),
        (NotPublic, "https:127.0.0.1"),
        (NotPublic, "https:\\\\127.0.0.1\\"),
        (NotPublic, "ht\ntps://127.0\t.0.1/"),
        (NotPublic, "https://10.0.0.1/"),
        (NotPublic, "https://172.16.0.1/"),
        (NotPublic, "https://172.31.255.255/"),
        (NotPublic, "https://192.168.1.1/"),
        (NotPublic, "https://169.254.169.254/latest/meta-data"),
        (NotPublic, "https://0xa9fea9fe/"),
        (NotPublic, "https://169.254.170.2/"),
        (NotPublic, "https://100.64.0.1/"),
        (NotPublic, "https://100.100.100.200/"),
        (NotPublic, "https://168.63.129.16/"),
        (NotPublic, "https://192.0.0.192/"),
        (NotPublic, "https://192.0.2.1/"),
        (NotPublic, "https://192.88.99.1/"),
        (NotPublic, "https://198.18.0.1/"),
        (NotPublic, "https://198.19.255.255/"),
        (NotPublic, "https://198.51.100.1/"),
        (NotPublic, "https://203.0.113.1/"),
        (NotPublic, "https://224.0.0.1/"),
        (NotPublic, "https://255.255.255.255/"),
        (NotPublic, "https://[::]/"),
        (NotPublic, "https://[::1]/"),
        (NotPublic, "https://[0:0:0:0:0:0:0:1]/"),
        (NotPublic, "https://[::ffff:127.0.0.1]/"),
        (NotPublic, "https://[::ffff:7f00:1]/"),
        (NotPublic, "https://[::ffff:169.254.169.254]/"),
        (NotPublic, "https://[::127.0.0.1]/"),
        (NotPublic, "https://[::ffff:0:127.0.0.1]/"),
        (NotPublic, "https://[64:ff9b::127.0.0.1]/"),
        (NotPublic, "https://[64:ff9b::a9fe:a9fe]/"),
        (NotPublic, "https://[64:ff9b:1::8.8.8.8]/"),
        (NotPublic, "https://[100::1]/"),
        (NotPublic, "https://[::ffff:10.0.0.1]/"),
        (NotPublic, "https://[0:0:0:0:0:ffff:c0a8:101]/"),
        (NotPublic, "https://[::ffff:0:0]/"),
        (NotPublic, "https://[::a00:1]/"),
        (NotPublic, "https://[64:ff9b::10.0.0.1]/"),
        (NotPublic, "https://[64:ff9b:0:1::8.8.8.8]/"),
        (NotPublic, "https://[2002:808:808::1]/"),
        (NotPublic, "https://[2002:a00:1::]/"),
        (NotPublic, "https://[2001:0:7f00:1::]/"),
        (NotPublic, "https://[5f00::1]/"),
        (NotPublic, "https://[fe80::1]/"),
        (NotPublic, "https://[febf::1]/"),
        (NotPublic, "https://[fec0::1]/"),
        (NotPublic, "https://[fc00::1]/"),
        (NotPublic, "https://[fdaa::3]/"),
        (NotPublic, "https://[fdaa:0:1:a7b:7d:0:1:2]/"),
        (NotPublic, "https://[fd00:ec2::254]/"),
        (NotPublic, "https://[ff02::1]/"),
        (NotPublic, "https://[2001::1]/"),
        (NotPublic, "https://[2001:db8::1]/"),
        (NotPublic, "https://[2001:10::1]/"),
        (NotPublic, "https://[2002:7f00:1::]/"),
        (NotPublic, "https://[3fff::1]/"),
        (NotPublic, "https://[4000::1]/"),
        (NotPublic, "https://localhost/"),
        (NotPublic, "https://LOCALHOST./"),
        (NotPublic, "https://a.localhost/"),
        (NotPublic, "https://relay.internal/"),
        (NotPublic, "https://iad.relay.internal./"),
        (NotPublic, "https://metadata.google.internal/"),
        (NotPublic, "https://_api.internal/"),
        (NotPublic, "https://_api.INTERNAL.:4280/"),
        (NotPublic, "https://top1.nearest.of.relay.internal/"),
        (NotPublic, "https://relay.flycast/"),
        (NotPublic, "https://app.ｉｎｔｅｒｎａｌ/"),
        (NotPublic, "https://localhost.localdomain/"),
        (NotPublic, "https://ip6-localhost/"),
        (NotPublic, "https://db.default.svc.cluster.local/"),
        (NotPublic, "https://printer.local/"),
        (NotPublic, "https://nas.lan/"),
        (NotPublic, "https://router.home.arpa/"),
        (NotPublic, "https://metadata/"),
        (NotPublic, "https://kubernetes/"),
        (NotPublic, "https://app..example.com/"),
    ];
    let wrong: Vec<_> = table.iter().filter(|(why, url)| check(url, false).err() != Some(*why)).collect();
    let got: Vec<_> = wrong.iter().map(|(_, url)| check(url, false)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{got:#?}");
}

#[test]
fn private_addresses_are_reached_when_the_relay_is_told_so() {
    for url in [
        "http://127.0.0.1:3000/x",
        "https://10.0.0.1/",
        "http://localhost/",
        "http://app.internal:80/",
        "https://[fdaa::3]/",
    ] {
        assert!(check(url, true).is_ok(), "{url}");
    }
    for url in ["file:///etc/passwd", "http://me@localhost/", "ftp://localhost/", "http://localhost:0/"] {
        assert!(check(url, true).is_err(), "{url}");
    }
}

proptest! {
    #[test]
    fn whatever_is_let_through_is_https_and_no_private_literal(url in "\\PC{0,60}") {
        if let Ok(url) = check(&url, false) {
            prop_assert_eq!(url.scheme(), "https");
        }
    }

    #[test]
    fn every_notation_of_an_ipv4_address_is_judged_alike(ip in any::<u32>()) {
        let public = is_public(IpAddr::V4(ip.into()));
        let [a, b, c, d] = ip.to_be_bytes();
        let (high, low) = (ip >> 16, ip & 0xffff);
        for host in [
            format!("{a}.{b}.{c}.{d}"), format!("{ip}"), format!("0x{ip:x}"), format!("0{ip:o}"), format!("{a}.{}", ip & 0xff_ffff),
            format!("0x{a:x}.0{b:o}.{c}.{d}"), format!("[::ffff:{high:x}:{low:x}]"), format!("[64:ff9b::{high:x}:{low:x}]"),
        ] {
            prop_assert_eq!(check(&format!("https://{host}/"), false).is_ok(), public, "{}", host);
        }
    }
}
