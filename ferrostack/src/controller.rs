// SPDX-License-Identifier: Apache-2.0
//! The wiring: opens the store and the rooms, plugs their doors together, and serves until told to stop.

mod dashboard;
mod database;
mod forget;
mod lead;
mod s3;

use std::{fs, future::Future, sync::Arc, time::Duration};

use access::{BASE_RULES, Enforcer, InForce, Policy, keys::KeyRepository};
use anyhow::{Context, bail};
use api::{Door, DoorParts, Front, Listener, Plan, Rule, Service};
use balancer::Balancers;
use compute::Compute;
use contracts::{audit::Audit, nodes::NodeNeighbours, volumes::Servers};
use fleet::{Fleet, FleetConfig};
use identity::{Bootstrap, CATALOG, Identity};
use image::Image;
use network::Network;
use object::Objects;
use ovn::{
    daemons::{Layout, Listen, Supervisor, admit_hosts},
    northbound::Northbound,
    ovsdb::Remote,
    southbound::Southbound,
};
use placement::Placement;
use store::{Migrations, Store};
use tokio::net::TcpListener;
use volume::BlockStorage;

pub use database::open as open_store;

use crate::{
    allocator,
    config::{Config, VlanRange},
    home::Home,
    operator::{self, Operator},
    secrets,
};

/// What every room is made of, in the order in which their tables are made.
fn plans() -> [Plan; 9] {
    [
        identity::ROOM.plan(),
        image::ROOM.plan(),
        placement::ROOM.plan(),
        network::ROOM.plan(),
        compute::ROOM.plan(),
        volume::ROOM.plan(),
        balancer::ROOM.plan(),
        object::ROOM.plan(),
        operator::ROOM.plan(),
    ]
}

pub fn migrations() -> Vec<Migrations> {
    plans().into_iter().map(|plan| plan.migrations).chain([fleet::migrations()]).collect()
}

/// How many Fernet keys stay good after rotations.
const ACTIVE_KEYS: usize = 3;
const OVN_PATIENCE: Duration = Duration::from_secs(20);

pub fn policies() -> Vec<&'static Policy> {
    plans().into_iter().flat_map(|plan| plan.policies).collect()
}

pub fn rules() -> Vec<Rule> {
    BASE_RULES.iter().copied().chain(plans().into_iter().flat_map(|plan| plan.rules)).collect()
}

/// All rooms of a controller, plugged together.
struct Rooms {
    store: Store,
    identity: Arc<Identity>,
    image: Arc<Image>,
    placement: Arc<Placement>,
    fleet: Arc<Fleet>,
    network: Arc<Network>,
    compute: Arc<Compute>,
    volume: Arc<BlockStorage>,
    balancers: Arc<Balancers>,
    objects: Arc<Objects>,
    policies: InForce,
    /// Where the work of the lead stands, while this controller has it.
    board: work::Board,
}

impl Rooms {
    async fn open(home: &Home, config: &Config) -> anyhow::Result<Self> {
        let store = database::open(home, config).await?;
        let identity = open_identity(home, config, store.clone()).await?;
        identity.federate(dashboard::federation(config)?).context("connect the identity providers")?;
        let image = Arc::new(open_image(home, config, store.clone()).await?);
        let placement = Arc::new(Placement::new(store.clone()));
        let fleet = Arc::new(Fleet::open(store.clone(), fleet_config(home, config), placement.clone())?);
        let policies = InForce::new(enforcer(config)?);
        let network = Arc::new(open_network(home, config, store.clone(), policies.clone())?);
        let neighbours = volume::Neighbours { images: image.clone(), nodes: fleet.clone() };
        let volume = BlockStorage::new(store.clone(), neighbours, policies.clone());
        let neighbours = compute::Neighbours {
            images: image.clone(),
            placement: placement.clone(),
            ports: network.clone(),
            volumes: volume.clone(),
            nodes: fleet.clone(),
            callers: identity.clone(),
        };
        let compute = Compute::new(store.clone(), neighbours);
        let servers: Arc<dyn Servers> = compute.clone();
        volume.serves(Arc::downgrade(&servers));
        let balancers = Balancers::new(store.clone(), network.clone());
        let objects = Arc::new(open_objects(home, config, store.clone()).await?);
        let board = work::Board::default();
        Ok(Self { store, identity, image, placement, fleet, network, compute, volume, balancers, objects, policies, board })
    }

    fn door(&self, config: &Config, metrics: Option<Box<dyn Fn() -> String + Send + Sync>>) -> anyhow::Result<Door> {
        let audits: Vec<Arc<dyn Audit>> =
            vec![self.image.clone(), self.network.clone(), self.compute.clone(), self.volume.clone(), self.objects.clone()];
        let services = vec![
            self.identity.service(),
            self.image.service(),
            self.placement.service(),
            self.network.service(),
            self.compute.service(),
            self.compute.consoles(),
            self.volume.service(),
            self.balancers.service(),
            self.objects.service(),
            operator::service(Operator {
                store: self.store.clone(),
                fleet: self.fleet.clone(),
                audits,
                board: self.board.clone(),
            }),
        ];
        let front = Front { greeting: concat!("Ferrostack ", env!("CARGO_PKG_VERSION")), metrics };
        let (authenticator, policies) = (self.identity.clone(), self.policies.clone());
        Door::new(DoorParts { services, authenticator, policies, public_url: config.public_url(), front })
            .map_err(|clash| anyhow::anyhow!("the route table is wrong: {clash}"))
    }

    /// The same rooms, doing the work of a lead: what they write is refused once it is lost.
    fn led(&self, store: Store) -> Self {
        let (identity, fleet) = (self.identity.clone(), self.fleet.clone());
        let image = Arc::new(self.image.led(store.clone()));
        let placement = Arc::new(Placement::new(store.clone()));
        let network = Arc::new(self.network.led(store.clone()));
        let neighbours = volume::Neighbours { images: image.clone(), nodes: fleet.clone() };
        let volume = self.volume.led(store.clone(), neighbours);
        let neighbours = compute::Neighbours {
            images: image.clone(),
            placement: placement.clone(),
            ports: network.clone(),
            volumes: volume.clone(),
            nodes: fleet.clone(),
            callers: identity.clone(),
        };
        let compute = self.compute.led(store.clone(), neighbours);
        let servers: Arc<dyn Servers> = compute.clone();
        volume.serves(Arc::downgrade(&servers));
        let balancers = self.balancers.led(store.clone(), network.clone());
        let objects = Arc::new(self.objects.led(store.clone()));
        Self {
            store,
            identity,
            image,
            placement,
            fleet,
            network,
            compute,
            volume,
            balancers,
            objects,
            policies: self.policies.clone(),
            board: self.board.clone(),
        }
    }

    fn node_neighbours(&self) -> NodeNeighbours {
        let (compute, volume) = (self.compute.clone(), self.volume.clone());
        NodeNeighbours {
            desired: vec![compute.clone(), volume.clone()],
            observed: vec![compute.clone(), volume.clone()],
            images: vec![compute.clone(), volume.clone()],
            snapshots: compute.clone(),
            volume_copies: volume,
            passwords: compute,
        }
    }

    /// What must be there before anybody can log in, found or made.
    async fn bootstrap(&self, home: &Home, config: &Config) -> anyhow::Result<()> {
        bootstrap_identity(&self.identity, home, config).await?;
        self.compute.ensure_standard_flavors().await.context("make the first flavors")?;
        self.volume.ensure_default_type().await.context("make the first volume type")
    }
}

pub async fn open_identity(home: &Home, config: &Config, store: Store) -> anyhow::Result<Arc<Identity>> {
    let (keys, credential_keys) = (token_keys(home)?, credential_keys(home)?);
    Ok(Identity::open(store, keys, credential_keys, identity_settings(config)).await?)
}

async fn open_image(home: &Home, config: &Config, store: Store) -> anyhow::Result<Image> {
    let settings = image::Settings { transfers: config.limits.transfers(), ..config.image.settings(home, config)? };
    match store.others(&lead::controller(config)).await?.as_slice() {
        [] => Ok(Image::open(store, settings).await?),
        others => {
            tracing::info!(?others, "other controllers are at work: what broken uploads left is not looked for");
            Ok(Image::open_beside_others(store, settings).await?)
        }
    }
}

async fn open_objects(home: &Home, config: &Config, store: Store) -> anyhow::Result<Objects> {
    let settings = config.objects.settings(lead::controller(config).name);
    Objects::open(store, config.objects.data(home)?, settings).await.context("open the objects")
}

pub fn token_keys(home: &Home) -> anyhow::Result<KeyRepository> {
    KeyRepository::open(home.secret("fernet-keys"), ACTIVE_KEYS).context("open the token keys")
}

fn credential_keys(home: &Home) -> anyhow::Result<KeyRepository> {
    KeyRepository::open(home.secret("credential-keys"), ACTIVE_KEYS).context("open the credential keys")
}

/// The first domain, roles, users and catalog, found or made.
pub async fn bootstrap_identity(identity: &Identity, home: &Home, config: &Config) -> anyhow::Result<()> {
    let wanted = Bootstrap {
        base_url: config.public_url(),
        region: config.api.region.clone(),
        catalog: CATALOG,
        admin_password: secrets::ensure(home, secrets::ADMIN)?,
        immutable_roles: config.identity.immutable_roles,
    };
    let demo_password = secrets::ensure(home, secrets::DEMO)?;
    let made = identity.bootstrap_with_demo(&wanted, &demo_password).await;
    made.map(drop).context("make the first domain, projects and users")
}

fn identity_settings(config: &Config) -> identity::Settings {
    identity::Settings {
        token_lifetime: Duration::from_secs(config.api.token_hours * 3600),
        security_compliance: Arc::new(config.identity.security_compliance.clone()),
        totp: config.identity.totp.clone(),
        receipt_lifetime: Duration::from_secs(config.identity.receipt_seconds),
        limit_model: config.identity.limit_model,
    }
}

pub async fn run(home: &Home, config: &Config, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().context("set up the figures")?;
    // The addresses first: that one is taken is told before anything is touched.
    if config.limits.byte_threads > 0 {
        bounds::Threads::set_number_for_bytes(config.limits.byte_threads);
    }
    let tls = tls_config(config)?;
    let listener = Listener::bind(config.api.listen, tls).await.with_context(|| taken("api.listen", &config.api.listen))?;
    let s3_listener = s3::listen(home, config).await?;
    let nodes = TcpListener::bind(config.fleet.listen).await.with_context(|| taken("fleet.listen", &config.fleet.listen))?;

    let rooms = Rooms::open(home, config).await?;
    rooms.bootstrap(home, config).await?;
    let limits = config.limits.api(bounds::raise_file_limit());
    let door = rooms.door(config, Some(Box::new(move || metrics.render())))?.with_limits(limits);
    let (ask_to_stop, asked) = tokio::sync::watch::channel(false);
    let memory = tokio::spawn(allocator::give_back_after_loads(door.asked()));
    let door = dashboard::before(Arc::new(door), &rooms, config, asked.clone());
    let s3_door = s3::door(&rooms, config, limits);
    let ovn = tokio::spawn(start_ovn(home.clone(), config.clone(), rooms.fleet.clone()));
    let hosts = rooms.network.watch_hosts();
    let remembering = tokio::spawn(database::keep_remembering(home.clone(), rooms.store.clone()));

    let stopped = |mut asked: tokio::sync::watch::Receiver<bool>| async move {
        let _ = asked.wait_for(|asked| *asked).await;
    };
    let serving_nodes = tokio::spawn({
        let (fleet, neighbours, stopped) = (rooms.fleet.clone(), rooms.node_neighbours(), stopped(asked.clone()));
        async move { fleet.serve(nodes, neighbours, stopped).await }
    });
    let serving_s3 = s3_listener.map(|listener| tokio::spawn(api::serve(listener, s3_door, stopped(asked.clone()))));
    let serving = tokio::spawn(api::serve(listener, door, stopped(asked)));
    tracing::info!(api = %config.public_url(), nodes = %config.fleet.listen, "the controller serves");
    let myself = lead::controller(config);
    tokio::select! {
        () = stop => {}
        () = lead::whenever_it_is_ours(&rooms, &myself, &config.events) => {}
    }
    tracing::info!("the controller was asked to stop");
    let _ = ask_to_stop.send(true);
    let _ = serving.await;
    if let Some(serving) = serving_s3 {
        let _ = serving.await;
    }
    serving_nodes.await.context("end the sessions of the nodes")??;
    hosts.abort();
    memory.abort();
    remembering.abort();
    if let Err(error) = database::remember(home, &rooms.store).await {
        tracing::warn!(%error, "how far the database has come is not written down");
    }
    // The daemons outlive us; only the watch over them ends.
    ovn.abort();
    // Last of all: a plain copy of the database's file is a backup while the cloud is down.
    if let Err(error) = rooms.store.checkpoint().await {
        tracing::warn!(%error, "the database's log could not be folded into its file; it is at the next start");
    }
    Ok(())
}

pub fn enforcer(config: &Config) -> anyhow::Result<Enforcer> {
    let overrides = match &config.api.policy {
        None => None,
        Some(path) => Some(fs::read_to_string(path).with_context(|| format!("read the policies in {}", path.display()))?),
    };
    let enforcer = Enforcer::new(&policies(), &rules(), overrides.as_deref()).context("understand the policies")?;
    for problem in enforcer.problems() {
        tracing::warn!(%problem, "policy.yaml");
    }
    Ok(enforcer)
}

fn fleet_config(home: &Home, config: &Config) -> FleetConfig {
    let addresses = config.fleet.addresses();
    let layout = Layout::under(&home.state);
    let southbound = match (config.network.southbound_listen, &config.network.southbound) {
        (Some(listen), _) => format!("ssl:{listen}"),
        (None, Some(remote)) => remote.clone(),
        // All hosts are this one.
        (None, None) => layout.southbound_remote().to_string(),
    };
    FleetConfig {
        state_dir: home.state.join("fleet"),
        addresses,
        southbound,
        vcpu_ratio: 4.0,
        token_seconds: 3600,
        limits: config.limits.fleet,
    }
}

/// Starts or adopts the databases and northd, unless the operator runs them. They outlive us; the supervisor only watches.
async fn start_ovn(home: Home, config: Config, fleet: Arc<Fleet>) {
    if !config.network.run_ovn {
        return;
    }
    let listen: Vec<Listen> = config
        .network
        .southbound_listen
        .map(|listen| {
            let files = fleet.tls_files();
            let tls = ovn::ovsdb::TlsFiles {
                private_key: files.key,
                certificate: files.certificate,
                ca_cert: files.authority,
                peer_name: None,
            };
            Listen { address: listen.ip(), port: listen.port(), tls }
        })
        .into_iter()
        .collect();
    let layout = Layout::under(&home.state);
    let supervisor = Supervisor::start(layout.central(&listen)).await;
    // The API answers without OVN, too: what is wanted is recorded, and made when it is back.
    match supervisor.ready(tokio::time::Instant::now() + OVN_PATIENCE).await {
        Ok(()) => tracing::info!("OVN runs"),
        Err(error) => tracing::error!(%error, "OVN does not run yet; networks are recorded and will be made when it does"),
    }
    while let Err(error) = admit_hosts(layout.southbound_remote(), &listen, tokio::time::Instant::now() + OVN_PATIENCE).await {
        tracing::warn!(%error, "other hosts do not reach OVN's southbound database yet");
        tokio::time::sleep(OVN_PATIENCE / 10).await;
    }
    // Held for as long as we live: it restarts whichever daemon dies.
    std::future::pending::<()>().await;
    drop(supervisor);
}

/// OVN's databases need not be reachable yet.
fn open_network(home: &Home, config: &Config, store: Store, policies: InForce) -> anyhow::Result<Network> {
    let layout = Layout::under(&home.state);
    let remote = |setting: &Option<String>, own: Remote| match setting {
        None => Ok(own),
        Some(text) => text.parse::<Remote>().with_context(|| format!("understand the OVN address {text}")),
    };
    let northbound = Northbound::connect(vec![remote(&config.network.northbound, layout.northbound_remote())?]);
    let southbound = Southbound::connect(vec![remote(&config.network.southbound, layout.southbound_remote())?]);
    let vlans = |range: &VlanRange| i64::from(range.first_vlan)..=i64::from(range.last_vlan);
    let physical = &config.network.physical_networks;
    let settings = network::Settings {
        underlay_mtu: config.network.underlay_mtu,
        vlans: physical.iter().map(|(name, range)| (name.clone(), vlans(range))).collect(),
        physical_networks: physical.keys().cloned().collect(),
        ..network::Settings::default()
    };
    Ok(Network::new(store, northbound, southbound, settings, policies))
}

fn tls_config(config: &Config) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let (Some(certificate), Some(key)) = (&config.api.certificate, &config.api.private_key) else { return Ok(None) };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("read the certificate in {}", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("read the key in {}", key.display()))?;
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("use api.certificate with api.private_key")?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(tls)))
}

fn taken(setting: &str, address: &std::net::SocketAddr) -> String {
    format!("listen on {address}; if another program holds it, end that or set {setting}")
}

/// The door of a cloud that was just made; nothing converges in it.
#[cfg(test)]
pub async fn door_of_new_cloud(home: &Home, config: &Config) -> anyhow::Result<Arc<Door>> {
    let rooms = Rooms::open(home, config).await?;
    rooms.bootstrap(home, config).await?;
    Ok(Arc::new(rooms.door(config, None)?))
}

/// The door of a cloud that has nothing in it yet: for those who want to read its route table.
pub async fn with_empty_cloud<T>(read: impl FnOnce(&Door) -> T) -> anyhow::Result<T> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let home = Home::at(folder.path().to_owned());
    home.ensure()?;
    let config = Config::default();
    let rooms = Rooms::open(&home, &config).await?;
    Ok(read(&rooms.door(&config, None)?))
}

/// Every route with what guards it, one line each.
pub async fn route_lines() -> anyhow::Result<Vec<String>> {
    let line = |(service, route): (&Service, &api::Route)| {
        let access = match route.access {
            api::Access::Policy(policy) => policy.name,
            api::Access::Asks(_) | api::Access::Authenticated => "(any token)",
            api::Access::Public => "(public)",
            api::Access::Open(_) => "(as the owner says)",
        };
        let action = route.action.map(|action| format!(" {action}")).unwrap_or_default();
        format!("{:<7} {}{}{action}  {access}", route.method, service.prefix, route.path)
    };
    let mut lines: Vec<String> = with_empty_cloud(|door| door.routes().map(line).collect()).await?;
    lines.sort();
    Ok(lines)
}
