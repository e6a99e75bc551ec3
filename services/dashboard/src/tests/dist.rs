// SPDX-License-Identifier: Apache-2.0
use std::{fs, io::Read as _, path::Path};

use sha2::{Digest, Sha256};

use super::Cloud;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn first_asset() -> String {
    let mut names: Vec<_> =
        fs::read_dir(Path::new(ROOT).join("dist/assets")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    names[0].file_name().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn files_are_served_whole_or_small_and_kept_by_browsers() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.browser();
    let path = format!("/dashboard/assets/{}", first_asset());
    let whole = fs::read(Path::new(ROOT).join("dist/assets").join(first_asset())).unwrap();
    let shown = browser.get(&path).await;
    assert_eq!((shown.status.as_u16(), shown.text.as_bytes()), (200, &*whole));
    assert!(shown.header("cache-control").contains("immutable"));
    let answer = browser.open("GET", &path, &[("accept-encoding", "br, gzip;q=0.5")], Vec::new()).await;
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let small = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*small).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == whole && small.len() < whole.len());
    let refused = browser.open("GET", &path, &[("accept-encoding", "gzip;q=0")], Vec::new()).await;
    assert!(!refused.headers().contains_key("content-encoding"));
    let known = browser.send("GET", &path, &[("if-none-match", shown.header("etag"))], Vec::new()).await;
    assert_eq!((known.status.as_u16(), &*known.text), (304, ""));
    let head = browser.send("HEAD", &path, &[], Vec::new()).await;
    assert_eq!((head.status.as_u16(), &*head.text), (200, ""));
    for missing in ["/dashboard/assets/../index.html", "/dashboard/assets/x.js", "/dashboard/assets/"] {
        assert_eq!(browser.get(missing).await.status, 404, "{missing}");
    }
    for page in ["/dashboard/", "/dashboard/containers/site/page.html", "/dashboard/index.html", "/dashboard/sources.sha256"] {
        let shown = browser.get(page).await;
        assert!(shown.status == 200 && shown.text.contains("id=\"root\""), "{page}: every name is a page of the application");
    }
    assert_eq!(browser.send("PUT", "/dashboard/servers", &[], Vec::new()).await.status, 405);
}

#[tokio::test]
async fn a_person_who_gives_the_address_alone_comes_to_the_menus() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.browser();
    let shown = browser.send("GET", "/", &[("accept", "text/html,*/*")], Vec::new()).await;
    assert_eq!((shown.status.as_u16(), shown.header("location")), (303, "/dashboard/"));
    assert_eq!(browser.get("/dashboard").await.header("location"), "/dashboard/");
    assert!(browser.send("GET", "/", &[("accept", "application/json")], Vec::new()).await.text.contains("services"));
    assert_eq!(browser.get("/dashboardx").await.status, 404);
}

/// `scripts/menus.sh` writes down of what it built.
#[test]
fn the_application_is_built_of_these_sources() {
    let (web, said) = (Path::new(ROOT).join("web"), Path::new(ROOT).join("dist/sources.sha256"));
    let Ok(said) = fs::read_to_string(said) else {
        assert!(!web.join("src").exists(), "dist does not say of what it was built: run scripts/menus.sh");
        return;
    };
    let mut found = Vec::new();
    for name in ["public", "src"] {
        gather(&web.join(name), name, &mut found);
    }
    for entry in fs::read_dir(&web).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let is_named = matches!(&*name, "index.html" | "package.json" | "package-lock.json" | "tsconfig.json");
        if is_named || name.starts_with("vite.config.") {
            found.push(line(&entry.path(), &name));
        }
    }
    found.sort_by(|one, other| one[66..].cmp(&other[66..]));
    assert_eq!(said.lines().collect::<Vec<_>>(), found, "dist is not of these sources: run scripts/menus.sh");
}

/// What tenants name stays text: there is no way in the application by which it could become markup.
#[test]
fn no_source_of_the_application_takes_text_for_markup() {
    let web = Path::new(ROOT).join("web/src");
    let mut files = Vec::new();
    gather(&web, "", &mut files);
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(web.join(&file[67..])).unwrap();
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML", "document.write", "eval("] {
            assert!(!text.contains(way), "{}: {way}", &file[66..]);
        }
        assert!(text.lines().next().is_some_and(|first| first.contains("SPDX-License-Identifier")), "{}", &file[66..]);
    }
}

fn gather(folder: &Path, name: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap()) {
        let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
        match entry.path().is_dir() {
            true => gather(&entry.path(), &name, found),
            false => found.push(line(&entry.path(), &name)),
        }
    }
}

fn line(path: &Path, name: &str) -> String {
    format!("{}  {name}", hex::encode(Sha256::digest(fs::read(path).unwrap())))
}
