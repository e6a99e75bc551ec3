// SPDX-License-Identifier: Apache-2.0
//! Our answers beside the examples of Octavia's API reference, key by key: what those have, ours have.

use serde_json::{Value, json};

use super::{Cloud, path};

#[track_caller]
fn has(answer: &Value, keys: &str) {
    let missing: Vec<&str> = keys.split_whitespace().filter(|key| answer.get(*key).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in {answer:#}");
}

#[tokio::test]
async fn answers_have_every_key_of_the_reference() {
    let cloud = Cloud::new().await;
    let (balancer, listener, pool) = cloud.balancer().await;
    let member = cloud.add(&pool, "192.0.2.11").await;
    let ask = json!({"pool_id": pool, "type": "TCP", "delay": 2, "timeout": 1, "max_retries": 3});
    cloud.make("healthmonitors", "healthmonitor", ask).await;
    let common = "id name project_id provisioning_status operating_status admin_state_up created_at updated_at tags";
    let all = [
        (
            format!("loadbalancers/{balancer}"),
            "loadbalancer",
            "description flavor_id vip_subnet_id vip_address vip_network_id vip_port_id additional_vips provider vip_qos_policy_id \
             availability_zone vip_vnic_type listeners pools",
        ),
        (
            format!("listeners/{listener}"),
            "listener",
            "description protocol protocol_port default_tls_container_ref loadbalancers insert_headers default_pool_id \
             sni_container_refs l7policies timeout_client_data timeout_member_connect timeout_member_data timeout_tcp_inspect \
             client_ca_tls_container_ref client_authentication client_crl_container_ref allowed_cidrs tls_ciphers tls_versions \
             alpn_protocols hsts_include_subdomains hsts_max_age hsts_preload connection_limit",
        ),
        (
            format!("pools/{pool}"),
            "pool",
            "description protocol lb_algorithm loadbalancers session_persistence listeners members healthmonitor_id \
             tls_container_ref ca_tls_container_ref crl_container_ref tls_enabled tls_ciphers tls_versions alpn_protocols",
        ),
        (
            format!("pools/{pool}/members/{member}"),
            "member",
            "monitor_port weight backup subnet_id monitor_address address protocol_port vnic_type",
        ),
    ];
    for (of, one, keys) in &all {
        let mut answer = cloud.show(of, one).await;
        has(&answer, common);
        has(&answer, keys);
        let many = of.rsplit_once('/').unwrap().0;
        // Its states come to rest meanwhile.
        let list = loop {
            let list = cloud.member().get(&path(many)).await.expect(200);
            let again = cloud.show(of, one).await;
            if again == answer {
                break list;
            }
            answer = again;
        };
        let name = many.rsplit('/').next().unwrap();
        has(&list, &format!("{name} {name}_links"));
        assert_eq!(list[name][0], answer, "{one}");
    }
    let monitors = cloud.member().get(&path("healthmonitors")).await.expect(200);
    has(&monitors["healthmonitors"][0], common);
    let keys =
        "pools delay expected_codes max_retries http_method timeout max_retries_down url_path type http_version domain_name";
    has(&monitors["healthmonitors"][0], keys);
    let created = cloud.show(&format!("pools/{pool}"), "pool").await["created_at"].as_str().unwrap().to_owned();
    assert_eq!((created.len(), created.contains('Z')), ("2017-05-10T18:14:44".len(), false));
    let stats = cloud.member().get(&path(&format!("listeners/{listener}/stats"))).await.expect(200);
    has(&stats["stats"], "bytes_in total_connections active_connections bytes_out request_errors");
    let quota = cloud.member().get(&path("quotas/defaults")).await.expect(200);
    has(&quota["quota"], "loadbalancer listener member pool healthmonitor l7policy l7rule load_balancer health_monitor");
    let providers = cloud.member().get(&path("providers")).await.expect(200);
    has(&providers["providers"][0], "name description");
    let tree = cloud.member().get(&path(&format!("loadbalancers/{balancer}/status"))).await.expect(200);
    let tree = &tree["statuses"]["loadbalancer"];
    has(tree, "name provisioning_status listeners pools id operating_status");
    has(&tree["listeners"][0], "name provisioning_status pools l7policies id operating_status");
    has(&tree["pools"][0], "name provisioning_status healthmonitor members id operating_status");
    has(&tree["pools"][0]["healthmonitor"], "type id name provisioning_status");
    has(&tree["pools"][0]["members"][0], "name provisioning_status address protocol_port id operating_status");
}
