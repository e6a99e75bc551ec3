// SPDX-License-Identifier: Apache-2.0
//! Real machines with guests of a few instructions, under TCG.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::Accelerator;

/// A place for one machine, which is gone with it whatever the test did.
struct Place {
    dir: TempDir,
    id: Uuid,
}

impl Place {
    fn new() -> Self {
        Self::in_a(tempfile::tempdir().unwrap())
    }

    fn in_a(dir: TempDir) -> Self {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self { dir, id: Uuid::new_v4() }
    }

    fn run_dir(&self) -> RunDir {
        RunDir::new(self.dir.path().join("run"))
    }

    fn console_log(&self) -> PathBuf {
        self.dir.path().join("console.log")
    }

    fn spec(&self, guest: &[u8]) -> MachineSpec {
        let path = self.dir.path().join("disk");
        fs::write(&path, guest).unwrap();
        let disk = Disk {
            name: DeviceName::new("root").unwrap(),
            path,
            format: DiskFormat::Raw,
            bus: DiskBus::Virtio,
            read_only: false,
            boot_index: Some(1),
            serial: Some("a,serial\"".into()),
        };
        MachineSpec {
            id: self.id,
            vcpus: 1,
            memory_mib: 32,
            accelerator: Accelerator::Tcg,
            disks: vec![disk],
            volumes: vec![],
            nics: vec![],
            console_log: self.console_log(),
            run_dir: self.run_dir(),
            run_as: RunAs { uid: 299_001, gid: 299_001 },
            spare_slots: 4,
            watchdog: None,
        }
    }

    async fn start(&self, guest: &[u8]) -> Machine {
        Machine::start(self.spec(guest)).await.unwrap()
    }

    async fn hello(&self) {
        let said = async {
            while !fs::read_to_string(self.console_log()).is_ok_and(|said| said.contains("hello")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), said).await.expect("the guest said nothing");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for (_, pid) in running_below(self.dir.path()).unwrap_or_default() {
            let _ = crate::sys::pidfd_open(pid).and_then(|it| crate::sys::pidfd_signal(std::os::fd::AsFd::as_fd(&it), 9));
        }
    }
}

async fn running_until(machine: &Machine, wanted: fn(&Event) -> bool, events: &mut broadcast::Receiver<Event>) {
    let seen = async { while !wanted(&events.recv().await.unwrap()) {} };
    tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap_or_else(|_| panic!("{machine:?}"));
}

#[tokio::test]
async fn a_machine_starts_in_a_folder_of_any_depth() {
    let deep = tempfile::Builder::new().prefix(&"deep".repeat(50)).tempdir().unwrap();
    let place = Place::in_a(deep);
    let machine = place.start(&guests::obedient()).await;
    machine.cont().await.unwrap();
    place.hello().await;
    assert!(place.run_dir().vnc_socket().exists());
    crate::socket::connect(&place.run_dir().vnc_socket()).await.unwrap();
    drop(machine);
    assert!(Machine::adopt(place.id, &place.run_dir()).await.unwrap().is_some());
    Machine::ensure_gone(place.id, &place.run_dir()).await.unwrap();
}

#[tokio::test]
async fn a_guest_that_may_run_by_then_runs_when_qemu_is_ready_and_else_waits() {
    let place = Place::new();
    let (machine, runs) = Machine::start_and_run(place.spec(&guests::obedient()), std::future::ready(())).await.unwrap();
    assert_eq!((runs, machine.run_state().await.unwrap()), (true, RunState::Running));
    machine.kill().await.unwrap();

    let (machine, runs) = Machine::start_and_run(place.spec(&guests::obedient()), std::future::pending()).await.unwrap();
    assert_eq!((runs, machine.run_state().await.unwrap()), (false, RunState::Prelaunch));
    machine.kill().await.unwrap();
}

#[tokio::test]
async fn a_guest_starts_paused_runs_and_obeys_its_power_button() {
    let place = Place::new();
    let machine = place.start(&guests::obedient()).await;
    assert_eq!(machine.run_state().await.unwrap(), RunState::Prelaunch);
    assert_eq!(fs::read_to_string(place.console_log()).unwrap(), "");

    let mut events = machine.events();
    machine.cont().await.unwrap();
    assert_eq!(machine.run_state().await.unwrap(), RunState::Running);
    place.hello().await;
    assert_eq!(machine.stop_within(Duration::from_secs(30)).await.unwrap(), Exit::Code(0));
    let by_guest = |event: &Event| matches!(event, Event::Shutdown { by_guest: true, .. });
    running_until(&machine, by_guest, &mut events).await;
}

#[tokio::test]
async fn a_guest_that_ignores_its_power_button_is_turned_off() {
    let place = Place::new();
    let machine = place.start(&guests::stubborn()).await;
    machine.cont().await.unwrap();
    assert_eq!(machine.stop_within(Duration::from_millis(200)).await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn a_machine_is_adopted_after_its_starter_forgot_it() {
    let place = Place::new();
    let first = place.start(&guests::obedient()).await;
    first.cont().await.unwrap();
    let pid = first.pid();
    drop(first);

    let again = Machine::adopt(place.id, &place.run_dir()).await.unwrap().unwrap();
    assert_eq!((again.pid(), again.run_state().await.unwrap()), (pid, RunState::Running));
    drop(again);

    // Killed before the pid file was written: the process itself is the record.
    fs::remove_file(place.run_dir().pid_file()).unwrap();
    let again = Machine::adopt(place.id, &place.run_dir()).await.unwrap().unwrap();
    assert_eq!(again.pid(), pid);
    assert_eq!(running_below(place.dir.path()).unwrap(), [(place.id, pid)]);

    assert!(Machine::adopt(Uuid::new_v4(), &Place::new().run_dir()).await.unwrap().is_none());
    again.kill().await.unwrap();
    assert!(Machine::adopt(place.id, &place.run_dir()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_pid_file_that_names_another_process_is_not_believed() {
    let place = Place::new();
    let machine = place.start(&guests::stubborn()).await;
    let pid = machine.pid();
    drop(machine);
    place.run_dir().record_pid(std::process::id().cast_signed()).unwrap();
    let again = Machine::adopt(place.id, &place.run_dir()).await.unwrap().unwrap();
    assert_eq!(again.pid(), pid);

    place.run_dir().record_pid(std::process::id().cast_signed()).unwrap();
    Machine::ensure_gone(place.id, &place.run_dir()).await.unwrap();
    again.exited().await.unwrap();
    assert!(!place.run_dir().path().exists());
}

#[tokio::test]
async fn a_second_start_is_refused_while_the_first_lives() {
    let place = Place::new();
    let machine = place.start(&guests::stubborn()).await;
    let second = Machine::start(place.spec(&guests::stubborn())).await;
    assert!(matches!(second, Err(Error::AlreadyRunning { id }) if id == place.id));
    assert_eq!(machine.run_state().await.unwrap(), RunState::Prelaunch);

    machine.kill().await.unwrap();
    place.start(&guests::stubborn()).await;
}

#[tokio::test]
async fn death_is_seen_by_every_waiter() {
    let place = Place::new();
    let machine = place.start(&guests::stubborn()).await;
    let other = machine.clone();
    let waiter = tokio::spawn(async move { other.exited().await.unwrap() });
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(machine.pid()), nix::sys::signal::SIGKILL).unwrap();
    assert_eq!(machine.exited().await.unwrap(), Exit::Signal(9));
    assert_eq!(waiter.await.unwrap(), Exit::Signal(9));
    assert!(matches!(machine.run_state().await, Err(Error::Closed)));
}

/// Waits until its guest stands still.
async fn trouble(machine: &Machine) -> Trouble {
    let look = async {
        loop {
            match machine.trouble(machine.run_state().await.unwrap()).await.unwrap() {
                Some(trouble) => return trouble,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.unwrap_or_else(|_| panic!("{machine:?} runs on"))
}

#[tokio::test]
async fn a_guest_that_panics_is_held_as_it_is_and_says_so() {
    let place = Place::new();
    let machine = place.start(&guests::panicking()).await;
    let mut events = machine.events();
    machine.cont().await.unwrap();
    running_until(&machine, |event| *event == Event::GuestPanicked, &mut events).await;
    assert_eq!(trouble(&machine).await, Trouble::GuestPanicked);
    assert_eq!(machine.run_state().await.unwrap(), RunState::GuestPanicked);
    assert_eq!(fs::read_to_string(place.console_log()).unwrap(), "hello\n");
    machine.kill().await.unwrap();
}

#[tokio::test]
async fn a_watchdog_that_is_not_fed_does_what_its_owner_wished() {
    let place = Place::new();
    let start = async |action| {
        let spec = MachineSpec { watchdog: Some(action), ..place.spec(&guests::forgetful()) };
        let machine = Machine::start(spec).await.unwrap();
        let events = machine.events();
        machine.cont().await.unwrap();
        (machine, events)
    };
    let (machine, _) = start(WatchdogAction::Pause).await;
    assert_eq!(trouble(&machine).await, Trouble::Watchdog);
    assert_eq!(machine.run_state().await.unwrap(), RunState::Watchdog);
    machine.kill().await.unwrap();

    let (machine, mut events) = start(WatchdogAction::Poweroff).await;
    let off = |event: &Event| matches!(event, Event::Watchdog { action } if action == "poweroff");
    running_until(&machine, off, &mut events).await;
    assert_eq!(machine.exited().await.unwrap(), Exit::Code(0));
    assert!(!place.run_dir().tells_of_force());

    let (machine, mut events) = start(WatchdogAction::Reset).await;
    running_until(&machine, |event| matches!(event, Event::Reset { .. }), &mut events).await;
    assert_eq!(machine.trouble(machine.run_state().await.unwrap()).await.unwrap(), None);
    machine.kill().await.unwrap();
}

#[tokio::test]
async fn a_disk_without_room_holds_its_guest_until_there_is_some() {
    let place = Place::new();
    let small = SmallFileSystem::mount(&place.dir.path().join("small"), 3 << 20);
    let mut spec = place.spec(&guests::writing());
    // Sparse, so that each sector takes room when it is written.
    let disk = small.path.join("disk");
    fs::write(&disk, guests::writing()).unwrap();
    fs::File::options().write(true).open(&disk).unwrap().set_len(9 << 20).unwrap();
    spec.disks[0].path = disk;
    let machine = Machine::start(spec).await.unwrap();
    let mut events = machine.events();
    machine.cont().await.unwrap();
    running_until(&machine, |event| matches!(event, Event::DiskError { held: true, .. }), &mut events).await;
    let found = trouble(&machine).await;
    assert_eq!(found, Trouble::Disk { disk: "root".into(), full: true });
    assert!(found.to_string().contains("the disk root has no room left"), "{found}");

    // Let go on without room, it is held again; with room it comes to its end, and no write was lost.
    machine.cont().await.unwrap();
    assert_eq!(trouble(&machine).await, found);
    small.resize(64 << 20);
    machine.cont().await.unwrap();
    let done = async {
        while !fs::read_to_string(place.console_log()).unwrap().contains("done") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("the guest does not come to its end");
    assert_eq!(fs::read_to_string(place.console_log()).unwrap(), "hello\ndone\n");
    machine.kill().await.unwrap();
}

/// On a host with a KVM that starts machines at all, however well it runs them.
#[tokio::test]
async fn a_guest_that_kvm_cannot_run_on_is_told_from_one_that_halts() {
    let place = Place::new();
    let spec = MachineSpec { accelerator: Accelerator::Kvm, ..place.spec(&guests::unfit_for_kvm()) };
    let Ok(machine) = Machine::start(spec).await else { return };
    machine.cont().await.unwrap();
    let found = trouble(&machine).await;
    assert!(matches!(&found, Trouble::Accelerator { kind: Accelerator::Kvm, .. }), "{found:?}");
    assert!(found.to_string().contains("KVM internal error"), "{found}");
    machine.kill().await.unwrap();
}

#[tokio::test]
async fn an_orderly_end_is_told_from_one_by_force_even_afterwards() {
    let place = Place::new();
    let machine = place.start(&guests::obedient()).await;
    assert!(place.run_dir().tells_of_force());
    machine.cont().await.unwrap();
    place.hello().await;
    machine.stop_within(Duration::from_secs(30)).await.unwrap();
    assert!(!place.run_dir().tells_of_force());
    let machine = place.start(&guests::stubborn()).await;
    machine.kill().await.unwrap();
    assert!(place.run_dir().tells_of_force());
}

/// A file system of so many bytes, which is gone with it.
struct SmallFileSystem {
    path: PathBuf,
}

impl SmallFileSystem {
    fn mount(path: &Path, size: u64) -> Self {
        fs::create_dir(path).unwrap();
        let small = Self { path: path.to_owned() };
        small.set_size(size, nix::mount::MsFlags::empty());
        small
    }

    fn resize(&self, size: u64) {
        self.set_size(size, nix::mount::MsFlags::MS_REMOUNT);
    }

    fn set_size(&self, size: u64, flags: nix::mount::MsFlags) {
        let options = format!("size={size},mode=711");
        nix::mount::mount(Some("tmpfs"), &self.path, Some("tmpfs"), flags, Some(options.as_str())).unwrap();
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.path, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn what_qemu_says_when_it_does_not_start_is_in_the_error() {
    let place = Place::new();
    let mut spec = place.spec(&guests::stubborn());
    spec.disks[0].path = place.dir.path().join("not, there");
    spec.disks[0].read_only = true;
    let error = Machine::start(spec).await.unwrap_err().to_string();
    assert!(error.contains("not, there") && error.contains("No such file"), "{error}");
    assert_eq!(running_below(place.dir.path()).unwrap(), []);
}

#[tokio::test]
async fn ensure_gone_is_content_when_there_is_nothing() {
    let place = Place::new();
    Machine::ensure_gone(place.id, &place.run_dir()).await.unwrap();
    let machine = place.start(&guests::stubborn()).await;
    Machine::ensure_gone(place.id, &place.run_dir()).await.unwrap();
    machine.exited().await.unwrap();
    assert!(!place.run_dir().path().exists());
    Machine::ensure_gone(place.id, &place.run_dir()).await.unwrap();
}

#[tokio::test]
async fn qemu_runs_confined() {
    let place = Place::new();
    let machine = place.start(&guests::stubborn()).await;
    let proc = PathBuf::from(format!("/proc/{}", machine.pid()));
    let status = fs::read_to_string(proc.join("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Uid:"), "299001 299001 299001 299001");
    assert_eq!(field("Gid:"), "299001 299001 299001 299001");
    assert_eq!(field("Groups:"), "");
    assert_eq!(field("CapEff:"), "0000000000000000");
    assert_eq!(field("CapPrm:"), "0000000000000000");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".into(), "2".into()));

    let namespace = |of: &Path, kind: &str| fs::read_link(of.join("ns").join(kind)).unwrap();
    for kind in ["mnt", "ipc"] {
        assert_ne!(namespace(&proc, kind), namespace(Path::new("/proc/self"), kind));
    }
    let mut devices: Vec<_> = fs::read_dir(proc.join("root/dev")).unwrap().map(|it| it.unwrap().file_name()).collect();
    devices.sort();
    assert_eq!(devices, ["full", "net", "null", "random", "urandom", "zero"]);
    // It must not be able to put something of its own in place of what we open.
    let mode = fs::metadata(place.run_dir().path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o710);
    machine.kill().await.unwrap();
}

/// Not every host has a version 2 hierarchy that we may write; where there is one, it is used and cleaned up.
#[tokio::test]
async fn a_machine_has_a_control_group_of_its_own_where_the_host_has_them() {
    let place = Place::new();
    let machine = place.start(&guests::stubborn()).await;
    let group = cgroup::group_of(place.id);
    let is_in = || fs::read_to_string(format!("/proc/{}/cgroup", machine.pid())).unwrap().contains(&place.id.to_string());
    let mut waited = Duration::ZERO;
    while group.is_some() && !is_in() && waited < Duration::from_secs(10) {
        waited += Duration::from_millis(50);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(is_in(), group.as_ref().is_some_and(|group| group.exists()));
    Machine::ensure_gone(place.id, &place.run_dir()).await.unwrap();
    assert!(group.is_none_or(|group| !group.exists()));
}

/// In a network of its own, which ends with the thread.
fn in_private_network(test: impl Future<Output = ()> + Send) {
    std::thread::scope(|scope| {
        let run = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
        };
        scope.spawn(run).join().unwrap();
    });
}

fn nic(number: u128, uid: u32) -> Nic {
    let name = DeviceName::for_id(Uuid::from_u128(number << 100));
    let nic = Nic {
        name,
        tap: format!("taptest{number}"),
        mac: format!("fa:16:3e:00:00:0{number}"),
        mtu: 1442,
        datapath: Datapath::Userspace,
    };
    crate::tap::ensure(&nic.tap, uid, nic.mtu, nic.datapath).unwrap();
    nic
}

#[test]
fn a_card_is_plugged_into_a_running_machine_once_and_asked_back() {
    in_private_network(async {
        let place = Place::new();
        let mut spec = place.spec(&guests::obedient());
        spec.spare_slots = 2;
        let machine = Machine::start(spec.clone()).await.unwrap();
        machine.cont().await.unwrap();
        place.hello().await;
        let uid = spec.run_as.uid;
        let (one, two, three) = (nic(1, uid), nic(2, uid), nic(3, uid));
        for _ in 0..2 {
            machine.plug(&one).await.unwrap();
        }
        machine.plug(&two).await.unwrap();
        let devices = machine.devices().await.unwrap();
        assert_eq!(devices.nics, [one.name.clone(), two.name.clone()].into());
        assert_eq!(devices.disks, [DeviceName::new("root").unwrap()].into());
        assert!(crate::tap::release(&one.tap).is_err(), "the machine has it");
        let full = machine.plug(&three).await.unwrap_err().to_string();
        assert!(full.contains("all slots for devices are taken"), "{full}");

        // This guest knows nothing of such things: it keeps the card, however often it is asked.
        for _ in 0..2 {
            assert_eq!(machine.unplug(&one.name).await.unwrap(), Unplug::Asked);
        }
        assert!(machine.devices().await.unwrap().nics.contains(&one.name));
        assert_eq!(machine.unplug(&three.name).await.unwrap(), Unplug::Gone);
        machine.kill().await.unwrap();
        crate::tap::release(&one.tap).unwrap();
    });
}

#[test]
fn a_guest_that_knows_how_lets_go_of_a_card_and_gets_another() {
    in_private_network(async {
        let place = Place::new();
        let mut spec = place.spec(&guests::courteous());
        let (one, two) = (nic(1, spec.run_as.uid), nic(2, spec.run_as.uid));
        spec.nics = vec![one.clone()];
        spec.spare_slots = 0;
        let machine = Machine::start(spec).await.unwrap();
        machine.cont().await.unwrap();
        place.hello().await;
        let full = machine.plug(&two).await.unwrap_err().to_string();
        assert!(full.contains("all slots for devices are taken"), "{full}");

        let mut events = machine.events();
        assert_eq!(machine.unplug(&one.name).await.unwrap(), Unplug::Asked);
        let let_go = |event: &Event| matches!(event, Event::DeviceDeleted { device } if device.starts_with("nic-"));
        running_until(&machine, let_go, &mut events).await;
        assert_eq!(machine.unplug(&one.name).await.unwrap(), Unplug::Gone);
        crate::tap::release(&one.tap).unwrap();
        // The slot is free for another.
        machine.plug(&two).await.unwrap();
        assert_eq!(machine.devices().await.unwrap().nics, [two.name.clone()].into());
        machine.kill().await.unwrap();
    });
}
