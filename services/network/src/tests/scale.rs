// SPDX-License-Identifier: Apache-2.0
//! A network with 20,000 ports: what is done for one more does not grow with them.

use serde_json::json;
use store::{Engine, Store, Value, params};
use work::KeyedReconciler;

use super::fixture::{Cloud, create, id, ids, path};
use crate::northbound::Reconciler;

const PORTS: i64 = 20_000;
/// What grows with the ports.
const LARGE: [&str; 5] = ["ports", "port_addresses", "port_security_groups", "north_keys", "network_tags"];

/// A cloud whose project p1 has a network and one port; copies of that are made without going through the API.
async fn cloud() -> (Cloud, String) {
    let cloud = Cloud::quiet().await;
    let quota = json!({"quota": {"port": 100_000}});
    cloud.admin().put(&path("quotas/p1"), quota).await.expect(200);
    let (network, _) = cloud.network("16.0.0.0/8").await;
    (cloud, network)
}

/// Makes twins of a port.
async fn multiply(cloud: &Cloud, port: &str) {
    let port = port.to_owned();
    let twins = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PORTS})");
    let twin = "'8f3e6d7a-0000-4000-8000-' || CAST(100000000000 + i AS TEXT)";
    let digits = "CAST(100000 + i AS TEXT)";
    let mac =
        format!("'fa:16:' || substr({digits}, 1, 2) || ':' || substr({digits}, 3, 2) || ':' || substr({digits}, 5, 2) || ':00'");
    let place = "'000000000000000000000000' || CAST(10900000 + i AS TEXT)";
    let statements = [
        format!(
            "{twins} INSERT INTO ports (id, network_id, project_id, name, description, admin_state_up, mac_address, device_id, \
             device_owner, port_security_enabled, allowed_address_pairs, extra_dhcp_opts, dns_name, host_id, vnic_type, profile, \
             up, created_at, updated_at, generation) SELECT {twin}, network_id, project_id, name, description, admin_state_up, \
             {mac}, device_id, device_owner, port_security_enabled, allowed_address_pairs, extra_dhcp_opts, dns_name, host_id, \
             vnic_type, profile, up, created_at, updated_at, generation FROM ports, n WHERE ports.id = $1"
        ),
        format!(
            "{twins} INSERT INTO port_addresses (subnet_id, place, address, port_id) SELECT subnet_id, {place}, \
             '16.0.0.0', {twin} FROM port_addresses, n WHERE port_id = $1"
        ),
        format!(
            "{twins} INSERT INTO port_security_groups (port_id, security_group_id) SELECT {twin}, security_group_id \
             FROM port_security_groups, n WHERE port_id = $1"
        ),
        format!(
            "{twins} INSERT INTO north_keys (id, generation, synced_generation) SELECT 'port/' || {twin}, 1, 1 FROM n, ports \
             WHERE ports.id = $1"
        ),
        format!("{twins} INSERT INTO network_tags (resource_id, tag) SELECT {twin}, 'one' FROM n, ports WHERE ports.id = $1"),
    ];
    let count = format!("UPDATE port_counts SET ports = ports + {PORTS} WHERE digit = (SELECT max(digit) FROM port_counts)");
    let store = &cloud.world.store;
    let write = move |tx: &mut store::Tx| {
        statements.iter().try_for_each(|sql| tx.execute(sql, &params![port.as_str()]).map(drop))?;
        tx.execute(&count, &[])?;
        // PostgreSQL keeps figures of what its tables hold by itself. SQLite has none, and plans without.
        if tx.engine() == Engine::Postgres { tx.execute("ANALYZE", &[]) } else { Ok(0) }
    };
    store.write(write).await.unwrap();
}

/// What is done for a port: it is made, brought to OVN, shown, changed and deleted.
async fn life_of_a_port(cloud: &Cloud, network: &str) -> Vec<(String, Vec<Value>)> {
    let (member, room) = (cloud.member(), &cloud.network.room);
    cloud.world.store.overhear();
    let port = id(&create(&member, "ports", "port", json!({ "network_id": network })).await);
    let reconciler = Reconciler::new(room.clone());
    assert!(reconciler.pending("network/", 10).await.unwrap().contains(&format!("port/{port}")));
    room.converge(&format!("port/{port}")).await.unwrap();
    let one = path(&format!("ports/{port}"));
    member.get(&one).await.expect(200);
    member.put(&one, json!({"port": {"name": "renamed"}})).await.expect(200);
    member.delete(&one).await.expect(204);
    room.converge(&format!("port/{port}")).await.unwrap();
    cloud.world.store.overhear()
}

/// The lines of a plan that read more than what is asked for.
async fn linear_in(store: &Store, sql: &str, values: Vec<Value>) -> Vec<String> {
    let explain = match store.engine() {
        Engine::Sqlite => format!("EXPLAIN QUERY PLAN {sql}"),
        Engine::Postgres => format!("EXPLAIN {sql}"),
    };
    let (engine, column) = (store.engine(), if store.engine() == Engine::Sqlite { 3 } else { 0 });
    let rows = store.read(move |tx| tx.query(&explain, &values)).await.unwrap();
    let lines = rows.iter().map(|row| row.get::<String>(column).unwrap());
    lines.filter(|line| if engine == Engine::Sqlite { reads_much(line) } else { expects_much(line) }).collect()
}

/// SQLite says which columns it seeks by: those that all ports of a network or of a project share are not enough.
fn reads_much(line: &str) -> bool {
    let of_large =
        |verb: &str| LARGE.iter().any(|table| line.starts_with(&format!("{verb} {table} ")) || line == format!("{verb} {table}"));
    let shared = ["network_id", "project_id", "network_owner", "device_owner", "subnet_id", "security_group_id"];
    let by_shared = shared.iter().any(|column| line.ends_with(&format!("({column}=?)")));
    of_large("SCAN") || (of_large("SEARCH") && by_shared && !line.contains("ports_by_distributed"))
}

/// PostgreSQL says how many rows it expects. Of an index that holds only what is ahead it guesses by the whole table.
fn expects_much(line: &str) -> bool {
    if line.contains("using north_keys_ahead ") {
        return false;
    }
    let rows = line.split("rows=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    let scans = LARGE.iter().any(|table| line.contains(&format!("Seq Scan on {table} ")));
    scans || rows.is_some_and(|rows| rows > 1000)
}

#[tokio::test]
async fn nothing_that_is_done_for_a_port_reads_the_others() {
    let (cloud, network) = cloud().await;
    let first = id(&create(&cloud.member(), "ports", "port", json!({ "network_id": network })).await);
    cloud.network.room.converge(&format!("port/{first}")).await.unwrap();
    let alone = life_of_a_port(&cloud, &network).await;
    multiply(&cloud, &first).await;
    let among_many = life_of_a_port(&cloud, &network).await;
    assert_eq!(alone.len(), among_many.len(), "as many statements as for the first");
    assert!(among_many.len() > 30, "the statements are overheard");
    for (sql, values) in among_many {
        let linear = linear_in(&cloud.world.store, &sql, values).await;
        assert!(linear.is_empty(), "{sql}\n{linear:#?}");
    }
    let used = cloud.member().get(&path("quotas/p1/details.json")).await.expect(200)["quota"]["port"]["used"].clone();
    // With the first, and the one behind which guests find their metadata.
    assert_eq!(used, json!(PORTS + 2));
}

#[tokio::test]
async fn a_page_of_ports_reads_that_page() {
    let (cloud, network) = cloud().await;
    let member = cloud.member();
    let first = id(&create(&member, "ports", "port", json!({ "network_id": network })).await);
    multiply(&cloud, &first).await;
    cloud.world.store.overhear();
    let mut marker = String::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = ids(&member, "ports", "ports", &format!("?limit=1000{marker}")).await;
        marker = format!("&marker={}", page.last().unwrap());
        seen.extend(page);
    }
    assert_eq!(seen.len(), 3000);
    assert!(seen.is_sorted() && seen.windows(2).all(|two| two[0] != two[1]));
    let ports = cloud.world.store.overhear().into_iter().filter(|(sql, _)| sql.contains("FROM ports"));
    for (sql, values) in ports {
        if cloud.world.store.engine() == Engine::Sqlite {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let rows = cloud.world.store.read(move |tx| tx.query(&plan, &values)).await.unwrap();
            let lines: Vec<String> = rows.iter().map(|row| row.get(3).unwrap()).collect();
            assert!(!lines.iter().any(|line| line.contains("TEMP B-TREE")), "{sql}\n{lines:#?}");
        }
    }
}

/// One sees one's own ports and those of others on one's networks, each once, in pages from either end.
#[tokio::test]
async fn pages_hold_ones_own_ports_and_those_on_ones_networks() {
    let cloud = Cloud::quiet().await;
    let (member, other, admin) = (cloud.member(), cloud.other(), cloud.admin());
    let shared = json!({"network": {"shared": true}});
    let (network, _) = cloud.network("10.0.0.0/24").await;
    admin.put(&path(&format!("networks/{network}")), shared).await.expect(200);
    let mut all = Vec::new();
    for place in 0..7 {
        let talk = if place % 2 == 0 { &member } else { &other };
        all.push(id(&create(talk, "ports", "port", json!({ "network_id": network })).await));
    }
    all.sort();
    let guests = ids(&other, "ports", "ports", "?limit=100").await;
    assert_eq!(guests.len(), 3);
    let plain = ids(&member, "ports", "ports", "?device_owner=").await;
    assert_eq!(plain, all);
    let mut pages = Vec::new();
    let mut marker = String::new();
    loop {
        let page = ids(&member, "ports", "ports", &format!("?device_owner=&limit=2{marker}")).await;
        let Some(last) = page.last() else { break };
        marker = format!("&marker={last}");
        pages.extend(page);
    }
    assert_eq!(pages, all);
    let last = ids(&member, "ports", "ports", &format!("?device_owner=&limit=2&marker={}&page_reverse=True", all[4])).await;
    assert_eq!(last, all[2..4]);
    let down = ids(&member, "ports", "ports", "?device_owner=&limit=3&sort_key=id&sort_dir=desc").await;
    assert_eq!(down, [6, 5, 4].map(|place| all[place].clone()));
}
