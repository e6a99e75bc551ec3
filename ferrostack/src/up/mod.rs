// SPDX-License-Identifier: Apache-2.0
//! `ferrostack up`: from an installed binary to a cloud with a machine that answers, and from a cloud that stands to
//! nothing to do. Each step finds or makes; none is done twice.

mod answer;
mod demo;
mod first;
mod host;
mod island;
mod object;
mod page;
mod progress;
mod roles;
mod settings;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use answer::Answer;
use anyhow::{Context, bail};
use clap::Args;
use demo::{Demo, Machine, Made};
use first::FirstThings;
use progress::{Outcome, step};
use roles::Roles;
use types::Secret;

pub use host::release_nat;
pub use island::Island;
pub use roles::STOP_PATIENCE;

use crate::{
    build,
    client::{Account, Client},
    clouds_yaml::{self, CloudsYaml, Entry, Names},
    config::Config,
    home::Home,
    installation::{self, Installation},
    say::say,
    secrets,
    systemd::{Plan, Systemd},
};

#[derive(Args)]
pub struct Arguments {
    /// Let machines reach the outside through this host's own address (nftables masquerade and IP forwarding), until `destroy`
    #[arg(long)]
    nat: bool,
    /// A qcow2 image for the first machine
    #[arg(long, value_name = "PATH")]
    guest_image: Option<PathBuf>,
    /// Start the services only: no demo network, image or machine
    #[arg(long)]
    bare: bool,
}

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("`up` makes bridges, taps and network namespaces and therefore runs as root: sudo ferrostack up");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bring_up(home, arguments))
}

async fn bring_up(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    say!("Ferrostack {} in {}", build::version(), home.state.display());
    home.ensure().with_context(|| format!("make {}", home.state.display()))?;
    let config = step("the configuration", async { settings::ensure(home) }).await?;
    let admin_password = secrets::ensure(home, secrets::ADMIN)?;
    secrets::ensure(home, secrets::DEMO)?;
    if arguments.nat {
        keep_nat(home)?;
    }
    let installation = Installation::own();
    if let Some(installation) = &installation {
        installation.enter(home).context("note that this cloud is here")?;
    }
    let systemd = Systemd::here();
    if let Some(systemd) = &systemd {
        step("the units of systemd", async { ensure_units(systemd, installation.as_ref(), home, &config) }).await?;
    }

    if config.node.namespace.is_some() {
        step("the network namespace of this cloud", async { Ok(Outcome::of(Island::of(home).ensure()?, ())) }).await?;
    }
    let roles = Roles { home, config: &config, systemd: systemd.as_ref() };
    step("the controller", roles.controller()).await?;
    let mut admin = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
    admin.log_in(&Account { user: "admin", password: admin_password.reveal(), project: "admin" }).await.with_context(|| {
        format!("if the administrator's password was changed, write the new one to {}", home.secret(secrets::ADMIN).display())
    })?;
    step("the agent of this host", roles.node(&admin)).await?;
    step("the host's place on the external network", async { host::ensure_addresses(&config, home.nat().exists()) }).await?;

    let things = FirstThings::read(home)?;
    let was_made = things.made;
    let (machine, things) = match (arguments.bare, things.made) {
        (_, true) => (first::machine(&admin, &things).await, things),
        (true, false) => (None, things),
        (false, false) => make_first_things(home, &config, &admin, arguments.guest_image.as_deref(), things).await?,
    };
    let names = step("clouds.yaml", async { ensure_entries(home, &config, &admin_password, was_made) }).await?;
    let mut page = None;
    if let Some(machine) = &machine {
        let answer = Answer { admin: &admin, machine, private_key: &home.secret("demo-key"), made_now: !was_made };
        if answer.see(&names.demo).await? && things.page {
            page = page::see(&machine.floating, !was_made).await?;
        }
    }
    let places = Places::that_answer(&config, page, things.object).await?;
    if let Some(installation) = &installation {
        installation.tidy().context("drop builds that nothing needs any more")?;
    }
    say!("\nThe cloud is up ({:.1} s).\n", started.elapsed().as_secs_f64());
    print_how_to_use(home, &config, &names, machine.as_ref(), &places, systemd.is_some());
    Ok(())
}

/// What the kernel forgets when the host is started anew, and the agent does not make.
pub fn ensure_host(home: &Home, config: &Config) -> anyhow::Result<Outcome<()>> {
    if config.node.namespace.is_some() {
        Island::of(home).ensure()?;
    }
    host::ensure_addresses(config, home.nat().exists())
}

fn keep_nat(home: &Home) -> anyhow::Result<()> {
    let path = home.nat();
    work::durable::write(&path, b"").with_context(|| format!("write {}", path.display()))
}

fn ensure_units(
    systemd: &Systemd,
    installation: Option<&Installation>,
    home: &Home,
    config: &Config,
) -> anyhow::Result<Outcome<()>> {
    let own = std::env::current_exe().context("find our own binary")?;
    // By the link, so that whoever is started after a newer build came is of that build.
    let program = installation.and_then(Installation::link).unwrap_or(&own);
    Ok(Outcome::of(systemd.ensure(&Plan::new(home, config, program))?, ()))
}

async fn make_first_things(
    home: &Home,
    config: &Config,
    admin: &Client,
    guest_image: Option<&Path>,
    things: FirstThings,
) -> anyhow::Result<(Option<Machine>, FirstThings)> {
    things.keep(home)?;
    let mut tenant = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
    let password = secrets::read(home, secrets::DEMO)?;
    tenant.log_in(&Account { user: "demo", password: password.reveal(), project: "demo" }).await.with_context(|| {
        format!(
            "make the first things; if that password was changed, write the new one to {}, or do without them: `up --bare`",
            home.secret(secrets::DEMO).display()
        )
    })?;
    let (host_address, external_cidr) = settings::external(config)?;
    let demo = Demo {
        admin,
        tenant: &tenant,
        guest_image,
        host_address: &host_address,
        external_cidr: &external_cidr,
        private_key: &home.secret("demo-key"),
    };
    let Some(Made { machine, object }) = demo.ensure().await? else { return Ok((None, things)) };
    let things = FirstThings { made: true, server: Some(machine.id.clone()), page: true, object: Some(object) };
    things.keep(home)?;
    Ok((Some(machine), things))
}

/// What a browser shows, each by an address at which it answers now.
struct Places {
    menus: Option<String>,
    page: Option<String>,
    object: Option<String>,
}

impl Places {
    async fn that_answer(config: &Config, page: Option<String>, object: Option<String>) -> anyhow::Result<Self> {
        // Without a token: as anybody.
        let nobody = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
        let at = async |path: &str| nobody.answers(path).await.then(|| format!("{}{path}", config.public_url()));
        let menus = if config.dashboard.enabled { at("/dashboard/").await } else { None };
        let object = match &object {
            Some(path) => at(path).await,
            None => None,
        };
        Ok(Self { menus, page, object })
    }
}

/// Our entries in the file of whoever runs `up`. The tenant's is made with the first things, and is his from then on: its
/// password stays as it is, and an entry that he took away does not come back.
fn ensure_entries(
    home: &Home,
    config: &Config,
    admin_password: &Secret<String>,
    was_made: bool,
) -> anyhow::Result<Outcome<Names>> {
    let path = clouds_yaml::path();
    let file = CloudsYaml::open(&path)?;
    let auth_url = format!("{}/identity/v3", config.public_url());
    let names = file.names(home, &auth_url);
    let entry = |name: &str, user: &str, password: &str| Entry {
        name: name.to_owned(),
        home: home.state.clone(),
        auth_url: auth_url.clone(),
        username: user.to_owned(),
        password: password.to_owned(),
        project: user.to_owned(),
        region: config.api.region.clone(),
        cacert: config.api.certificate.clone(),
    };
    let mut entries = vec![entry(&names.admin, "admin", admin_password.reveal())];
    let kept = file.kept_password(&names.demo, "demo", home, &auth_url).filter(|_| was_made);
    let demo_password = match kept {
        None if was_made && noted(home)?.contains(&path) => None,
        None => Some(secrets::read(home, secrets::DEMO)?.reveal().clone()),
        kept => kept,
    };
    entries.extend(demo_password.map(|password| entry(&names.demo, "demo", &password)));
    note(home, &path)?;
    Ok(Outcome::of(file.merge(&entries)?, names))
}

/// The files in which this cloud has entries.
pub fn noted(home: &Home) -> anyhow::Result<Vec<PathBuf>> {
    let path = home.state.join("clouds-yaml");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(PathBuf::from).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn note(home: &Home, clouds: &Path) -> anyhow::Result<()> {
    let mut all = noted(home)?;
    if !all.iter().any(|path| path == clouds) {
        all.push(clouds.to_owned());
        let text: String = all.iter().map(|path| format!("{}\n", path.display())).collect();
        let path = home.state.join("clouds-yaml");
        work::durable::write(&path, text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn print_how_to_use(home: &Home, config: &Config, names: &Names, machine: Option<&Machine>, places: &Places, by_systemd: bool) {
    let clouds = clouds_yaml::path();
    let home_of = if home.is_default() { String::new() } else { format!("FERROSTACK_HOME={} ", home.state.display()) };
    let ferrostack = format!("{home_of}{}", installation::command());
    if let Some(menus) = &places.menus {
        say!("  menus        {menus}   in a browser; the domain is Default");
        say!("               user admin, password in {}", home.secret(secrets::ADMIN).display());
        if machine.is_some() {
            say!("               user demo, password in {}", home.secret(secrets::DEMO).display());
        }
    }
    say!("  API          {}/identity/v3", config.public_url());
    match home.s3_said() {
        Some(url) if url.starts_with("http") => say!("  S3           {url}   (keys: openstack ec2 credentials create)"),
        Some(why) => say!("  S3           {why}"),
        None => {}
    }
    say!("  clients      openstack --os-cloud {} ...   (the operator)", names.admin);
    if CloudsYaml::open(&clouds).is_ok_and(|file| file.has(&names.demo)) {
        say!("               openstack --os-cloud {} ...   (a tenant); entries in {}", names.demo, clouds.display());
    }
    say!("               eval \"$({ferrostack} env)\" for other tools");
    if let Some(machine) = machine {
        say!("  machine      {}: {} inside, {} from this host", machine.name, machine.fixed, machine.floating);
        say!("  reach it     ssh -i {} cirros@{}", home.secret("demo-key").display(), machine.floating);
    }
    if let Some(page) = &places.page {
        say!("  its page     {page}   from the volume demo");
    }
    if let Some(object) = &places.object {
        say!("  an object    {object}   for everybody");
    }
    say!("  stop it      {ferrostack} down");
    if by_systemd {
        say!("  a reboot     brings all of it back, by systemd's units {}", crate::systemd::pattern(home));
    } else {
        say!("  a reboot     ends it, for systemd does not run here; bring all back with: {ferrostack} up");
    }
}
