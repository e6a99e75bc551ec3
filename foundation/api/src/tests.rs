// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use access::{BASE_RULES, Enforcer, InForce, Policy, Target};
use contracts::{
    BoxFuture,
    caller::{
        AccessRule, Authenticator, Caller, DomainFacts, ProjectFacts, RoleFacts, TokenFacts, TokenScope, Unauthenticated,
        UserFacts,
    },
};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Step;
use types::{Microversion, Timestamp};

use crate::{
    Access, Cx, Door, DoorParts, Drawer, Fault, FaultStyle, Front, Microversions, Reply, RequestBody, Response, Routes, Service,
    created, json as reply,
};

static LIST: Policy = Policy::new("things:list", "rule:project_reader_api", "List things");
static SECRET: Policy = Policy::new("things:secret", "@", "See what nobody is to see");
static CREATE: Policy = Policy::new("things:create", "rule:project_member_api", "Make a thing");

/// A token is `role` or `role@project`: the far side of the authenticator's door.
struct Tokens;

impl Authenticator for Tokens {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Caller>, Unauthenticated>> {
        Box::pin(async move {
            let (role, project) = token.split_once('@').ok_or(Unauthenticated::BadToken)?;
            let domain = DomainFacts { id: "default".into(), name: "Default".into() };
            Ok(Arc::new(Caller {
                user: UserFacts { id: "u".into(), name: "ann".into(), domain: domain.clone() },
                scope: TokenScope::Project(ProjectFacts { id: project.into(), name: project.into(), domain }),
                roles: vec![RoleFacts { id: role.into(), name: role.into() }],
                token: TokenFacts { methods: vec![], issued_at: Timestamp(0), expires_at: Timestamp(0), audit_ids: vec![] },
                access_rules: rules_of(token),
            }))
        })
    }
}

/// `confined@project` is for looking at things and for nothing else.
fn rules_of(token: &str) -> Option<Arc<[AccessRule]>> {
    let rule = |method: &str, path: &str| AccessRule {
        id: path.into(),
        service: "compute".into(),
        method: method.into(),
        path: path.into(),
    };
    token.starts_with("confined").then(|| [rule("GET", "/things"), rule("POST", "/things/*/action")].into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    size: u32,
}

struct Room;

async fn list(_: Arc<Room>, cx: Cx) -> Reply {
    reply(StatusCode::OK, &json!({"project": cx.project()?, "version": cx.version.to_string(), "link": cx.url("/things")}))
}

async fn create(_: Arc<Room>, mut cx: Cx) -> Reply {
    let thing: Thing = cx.document("thing").await?;
    created(&json!({"name": thing.name, "size": thing.size}))
}

async fn start(_: Arc<Room>, _: Cx) -> Reply {
    Err(Fault::conflict("It runs already."))
}

async fn peek(_: Arc<Room>, cx: Cx) -> Reply {
    cx.check(&SECRET, &Target::new())?;
    reply(StatusCode::OK, &json!({}))
}

async fn fall(_: Arc<Room>, _: Cx) -> Reply {
    panic!("a mistake in a handler")
}

fn routes() -> Routes<Room> {
    Routes::new()
        .get("/things", &LIST, list)
        .post("/things", &CREATE, create)
        .get("/new", &LIST, list)
        .since(Microversion::new(2, 5))
        .get("/fall", Access::Public, fall)
        .get("/peek", &LIST, peek)
        .get("/peek/openly", &LIST, peek)
        .asking(&[&SECRET])
        .action("/things/{id}/action", "os-start", &CREATE, start)
        .action("/things/{id}/action", "os-stop", &LIST, start)
}

fn door(faults: FaultStyle) -> Door {
    let versions =
        Microversions { name: "compute", legacy_header: None, min: Microversion::new(2, 1), max: Microversion::new(2, 9) };
    door_of(Service {
        name: "compute",
        prefix: "/compute",
        faults,
        versions: Some(versions),
        routes: routes().of(&Arc::new(Room)),
    })
}

/// Whom a list is for.
pub(super) fn list_policy() -> &'static Policy {
    &LIST
}

pub(super) fn door_of(service: Service) -> Door {
    Door::new(DoorParts {
        services: vec![service],
        authenticator: Arc::new(Tokens),
        policies: InForce::new(Enforcer::new(&[&LIST, &CREATE, &SECRET], BASE_RULES, None).unwrap()),
        public_url: "http://cloud:1".into(),
        front: Front { greeting: "test", metrics: None },
    })
    .unwrap()
}

async fn ask(door: &Door, method: &str, path: &str, token: &str, body: &str) -> (StatusCode, Response, Value) {
    let mut request = Request::builder().method(method).uri(path).header("host", "here:80");
    if token.to_lowercase().starts_with("bearer ") {
        request = request.header("authorization", token);
    } else if !token.is_empty() {
        request = request.header("x-auth-token", token);
    }
    if let Some((path, version)) = path.split_once("?v=") {
        request = request.uri(path).header("openstack-api-version", format!("compute {version}"));
    }
    let body: RequestBody = Full::from(body.to_owned()).map_err(|never| match never {}).boxed();
    let response = door.handle(request.body(body).unwrap()).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let document = serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (parts.status, http::Response::from_parts(parts, crate::reply::empty(StatusCode::OK).into_body()), document)
}

#[tokio::test]
async fn the_path_from_token_to_handler() {
    let door = door(FaultStyle::Nova);
    let (status, response, document) = ask(&door, "GET", "/compute/things", "reader@p1", "").await;
    assert_eq!(status, 200);
    assert_eq!(document, json!({"project": "p1", "version": "2.1", "link": "http://here:80/compute/things"}));
    assert!(response.headers()["x-openstack-request-id"].to_str().unwrap().starts_with("req-"));
    assert_eq!(response.headers()["openstack-api-version"], "compute 2.1");

    assert_eq!(ask(&door, "GET", "/compute/things", "Bearer reader@p1", "").await.0, 200, "as OAuth 2.0 sends it");
    assert_eq!(ask(&door, "GET", "/compute/things", "bearer garbage", "").await.0, 401);
    assert_eq!(ask(&door, "GET", "/compute/things", "", "").await.0, 401);
    assert_eq!(ask(&door, "GET", "/compute/things", "garbage", "").await.0, 401);
    assert_eq!(ask(&door, "GET", "/compute/nothing", "reader@p1", "").await.0, 404);
    assert_eq!(ask(&door, "GET", "/computer/things", "reader@p1", "").await.0, 404);
    assert_eq!(ask(&door, "GET", "/compute/things/", "reader@p1", "").await.0, 200);
    let (status, response, _) = ask(&door, "PUT", "/compute/things", "reader@p1", "").await;
    assert_eq!((status.as_u16(), response.headers()["allow"].to_str().unwrap()), (405, "GET, POST"));
}

#[tokio::test]
async fn policy_is_asked_before_the_body_is_read() {
    let door = door(FaultStyle::Nova);
    let (status, _, document) = ask(&door, "POST", "/compute/things", "reader@p1", "{malformed").await;
    assert_eq!(status, 403);
    assert!(document["forbidden"]["message"].as_str().unwrap().contains("things:create"), "{document}");
}

#[tokio::test]
async fn bad_bodies_say_what_is_wrong_and_where() {
    let door = door(FaultStyle::Nova);
    let table = [
        ("", "has no body"),
        ("{", "not valid JSON"),
        ("[]", "JSON object"),
        ("7", "JSON object"),
        (r#"{"other": 1}"#, "lacks its top-level key 'thing'"),
        (r#"{"thing": {"name": 7, "size": 1}}"#, "thing.name"),
        (r#"{"thing": {"name": "a", "size": -1}}"#, "thing.size"),
        (r#"{"thing": {"name": "a", "size": 1, "x": 1}}"#, "unknown field `x`"),
        (r#"{"thing": {"name": "a\\\u0000", "size": 1}}"#, "NUL"),
    ];
    for (body, expected) in table {
        let (status, _, document) = ask(&door, "POST", "/compute/things", "member@p1", body).await;
        assert_eq!(status, 400, "{body}");
        assert!(document["badRequest"]["message"].as_str().unwrap().contains(expected), "{body}: {document}");
    }
    let backslash = r#"{"thing": {"name": "\\u0000", "size": 1}}"#;
    assert_eq!(ask(&door, "POST", "/compute/things", "member@p1", backslash).await.0, 201);
    let huge = format!(r#"{{"thing": {{"name": "{}", "size": 1}}}}"#, "x".repeat(200_000));
    assert_eq!(ask(&door, "POST", "/compute/things", "member@p1", &huge).await.0, 413);
}

#[tokio::test]
async fn actions_are_told_apart_by_their_key() {
    let door = door(FaultStyle::Nova);
    let act = async |token: &str, body: &str| ask(&door, "POST", "/compute/things/1/action", token, body).await.0.as_u16();
    assert_eq!(act("member@p1", r#"{"os-start": null}"#).await, 409);
    assert_eq!(act("reader@p1", r#"{"os-start": null}"#).await, 403);
    assert_eq!(act("reader@p1", r#"{"os-stop": null}"#).await, 409);
    assert_eq!(act("member@p1", r#"{"os-fly": null}"#).await, 400);
    assert_eq!(act("member@p1", r#"{"os-start": 1, "os-stop": 2}"#).await, 400);
}

#[tokio::test]
async fn a_confined_token_is_good_for_its_rules_only() {
    let door = door(FaultStyle::Nova);
    let status = async |method: &str, path: &str| ask(&door, method, path, "confined@p1", "{}").await.0.as_u16();
    assert_eq!(status("GET", "/compute/things").await, 403, "let in, and the policy has its say");
    assert_eq!(status("POST", "/compute/things/1/action").await, 400);
    assert_eq!(status("POST", "/compute/things").await, 401);
    assert_eq!(status("GET", "/compute/new").await, 401);
    assert_eq!(status("GET", "/compute/fall").await, 500, "nobody is asked there");
}

#[tokio::test]
async fn routes_come_with_their_versions() {
    let door = door(FaultStyle::Nova);
    assert_eq!(ask(&door, "GET", "/compute/new", "reader@p1", "").await.0, 404);
    assert_eq!(ask(&door, "GET", "/compute/new?v=2.5", "reader@p1", "").await.0, 200);
    assert_eq!(ask(&door, "GET", "/compute/new?v=2.99", "reader@p1", "").await.0, 406);
}

#[tokio::test]
async fn a_panic_is_a_500_and_tells_nothing() {
    let door = door(FaultStyle::Keystone);
    let (status, _, document) = ask(&door, "GET", "/compute/fall", "", "").await;
    assert_eq!(status, 500);
    assert!(!document.to_string().contains("mistake"));
    assert_eq!(document["error"]["code"], 500);
}

#[tokio::test]
async fn each_service_has_its_own_faults() {
    let nothing = async |style| ask(&door(style), "GET", "/compute/nothing", "reader@p1", "").await.2;
    assert_eq!(nothing(FaultStyle::Nova).await["itemNotFound"]["code"], 404);
    assert_eq!(nothing(FaultStyle::Keystone).await["error"]["title"], "Not Found");
    assert_eq!(nothing(FaultStyle::Neutron).await["NeutronError"]["type"], "HTTPNotFound");
    assert_eq!(nothing(FaultStyle::Placement).await["errors"][0]["status"], 404);
    assert!(nothing(FaultStyle::Glance).await.as_str().unwrap().contains("<h1>404 Not Found</h1>"));
}

#[test]
fn every_route_names_its_access() {
    // A route cannot be made without one: `Routes::on` asks for `impl Into<Access>`, which has no default.
    let list = routes().of(&Arc::new(Room));
    let with_policy = list.iter().filter(|route| matches!(route.access, Access::Policy(_))).count();
    assert_eq!((list.len(), with_policy), (8, 7));
}

#[tokio::test]
async fn a_policy_that_the_route_does_not_name_admits_nobody() {
    let door = door(FaultStyle::Keystone);
    // Where assertions are compiled in the handler falls, so that its test fails; else it is forbidden.
    let refused = if cfg!(debug_assertions) { 500 } else { 403 };
    assert_eq!(ask(&door, "GET", "/compute/peek", "reader@p1", "").await.0, refused);
    assert_eq!(ask(&door, "GET", "/compute/peek/openly", "reader@p1", "").await.0, 200);
}

#[test]
fn a_room_is_its_drawers() {
    const STEPS: [Step; 2] = [Step { number: 1, name: "first", sql: "" }, Step { number: 2, name: "second", sql: "" }];
    static ROOM: crate::Room<Room> = crate::Room {
        name: "things",
        prefix: "/things",
        faults: FaultStyle::Nova,
        versions: None,
        steps: &[],
        drawers: &[
            Drawer::without_routes("plain").tables(&[STEPS[1]]),
            Drawer::new("thing", routes).tables(&[STEPS[0]]).rules(&[("things", "role:thing")]),
        ],
    };
    let numbers: Vec<u32> = ROOM.migrations().steps.iter().map(|step| step.number).collect();
    assert_eq!(numbers, [1, 2], "the steps run in the order of their numbers, whichever drawer they are of");
    assert_eq!(ROOM.policies(), [&LIST, &CREATE, &SECRET], "each policy of a route, once");
    assert_eq!(ROOM.rules(), [("things", "role:thing")]);
    assert_eq!(ROOM.service(&Arc::new(Room)).routes.len(), routes().of(&Arc::new(Room)).len());
}
