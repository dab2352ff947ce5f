"""A whole FastCheck in one data folder: assemble, start, supervise and stop it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from deploy import redis_users
from deploy.auditor import AUDITED, BANK
from deploy.environment import BROKER_DATABASE, system_settings, user_settings
from deploy.failure import LaunchError
from deploy.provisioning import provision
from deploy.services import AUDITOR, BROKER_VARIABLE, BUS, BY_NAME, SERVICES, Service
from launcher import logfiles, ports, state, stored_credentials
from launcher.auditor_process import auditor_process
from launcher.data_dir import DataDir
from launcher.embedded import caddy, haproxy
from launcher.embedded.caddy import EmbeddedCaddy
from launcher.embedded.haproxy import EmbeddedHaproxy
from launcher.embedded.pgbouncer import EmbeddedPgbouncer
from launcher.embedded.postgres import EmbeddedPostgres
from launcher.embedded.redis import EmbeddedRedis
from launcher.embedded.stunnel import EmbeddedStunnel
from launcher.migrating import migrate
from launcher.processes import Process, Stage, operator_ports, service_processes
from launcher.signals import SignalWatch
from launcher.supervisor import START_TIMEOUT_SECONDS, StopRequested, Supervisor
from launcher.tls import Tls

CACHE_VARIABLE: Final = "FASTCHECK_CACHE_URL"


class System:
    """One system. The caller holds the lock of ``data_dir``."""

    def __init__(
        self,
        data_dir: DataDir,
        *,
        gateway_port: int | None,
        watch: SignalWatch,
        say: Callable[[str], None],
        services: Sequence[Service] = SERVICES,
        environ: Mapping[str, str] | None = None,
        replicas: int = 1,
        without: str | None = None,
        with_pgbouncer: bool = False,
        with_edge: bool = False,
        with_tls: bool = False,
    ) -> None:
        """``without`` names a process that is left out, because the caller runs it (see :mod:`launcher.dev`).

        ``with_edge`` runs Caddy with TLS before the proxy of the gateway; the public URL is then its own.

        ``with_pgbouncer`` puts PgBouncer in transaction mode between the services and the embedded PostgreSQL.
        ``with_tls`` makes all connections use TLS, see :mod:`launcher.tls`.
        """
        self._without = without
        self._data_dir = data_dir
        self._replicas = replicas
        self._services = services
        self._say = say
        self._watch = watch
        user = user_settings(environ)
        self._secrets = stored_credentials.load_or_create(data_dir)
        proxy_program = haproxy.program()
        names = [
            "postgres",
            *([haproxy.GATEWAY_PORT, haproxy.OPERATOR_PORT] if proxy_program else []),
            *([caddy.PORT, haproxy.EDGE_PORT] if with_edge else []),
            "redis",
            *(["pgbouncer"] if with_pgbouncer else []),
            AUDITOR,
            *(service.name for service in SERVICES),
            *operator_ports(SERVICES, replicas),
        ]
        self._claims = ports.Claims()
        self._ports = ports.choose(data_dir, names, gateway=gateway_port, claims=self._claims)
        addresses = {name: f"{ports.HOST}:{port}" for name, port in self._ports.items()}
        if with_tls and (with_pgbouncer or with_edge):
            raise LaunchError("--tls excludes --pgbouncer and --edge, which FastCheck connects without TLS.")
        self._tls = Tls.renewed(data_dir, frozenset(addresses.values()), user) if with_tls else None
        self._edge = self._embedded_edge(user, proxied=proxy_program is not None) if with_edge else None
        self._settings = system_settings(self._secrets, addresses, public_url=self.public_url, user=user)
        if self._edge:
            # The sandbox bank does not know the edge's authority.
            self._settings = {"FASTCHECK_CALLBACK_BASE_URL": self.gateway_url, **self._settings}
        self._proxy = self._gateway_proxy(proxy_program, user) if proxy_program else None
        if self._proxy:
            self._settings = haproxy.settings_behind(self._settings)
        self._own_databases = [
            service.name for service in services if service.has_database and service.database_variable not in user
        ]
        self._postgres = self._embedded_postgres() if self._own_databases else None
        if with_pgbouncer and self._postgres is None:
            raise LaunchError("--pgbouncer is for FastCheck's own PostgreSQL: put yours behind your own PgBouncer.")
        self._pgbouncer = self._embedded_pgbouncer() if with_pgbouncer else None
        self._redis = None if names_own_redis(user) else self._embedded_redis()
        self._supervisor = Supervisor(watch, say, self._write_state)
        self._complete = False

    @property
    def gateway_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{ports.HOST}:{self._ports['gateway']}"

    @property
    def public_url(self) -> str:
        """The URL of the edge, else of the gateway."""
        return self._edge.url if self._edge else self.gateway_url

    def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call ``when_ready``, and keep it running until a signal asks to stop."""
        try:
            self._start()
            when_ready()
            self._supervisor.keep_running(self._every_second)
            self._say("Stopping.")
        except StopRequested:
            self._say("Stopping before it was ready.")
        finally:
            self._supervisor.stop()
            self._write_nothing_runs()
            self._claims.release()

    def _start(self) -> None:
        self._supervisor.start(self._servers())
        if self._postgres is not None:
            provision(
                self._postgres.administrator_url,
                self._secrets.role_passwords,
                self._secrets.owner_passwords,
                self._own_databases,
            )
        self._supervisor.raise_if_stopped()
        with_database = [service for service in self._services if service.has_database]
        migrate(with_database, self._settings, self._data_dir, self._watch, self._tls)
        self._supervisor.raise_if_stopped()
        ports_of_services = haproxy.ports_behind(self._ports)
        processes = service_processes(
            self._settings, ports_of_services, self._data_dir, self._services, self._replicas, tls=self._tls
        )
        processes = [process for process in processes if process.name != self._without]
        if all(name in self._own_databases for name in (*AUDITED, BANK)):
            # On other servers the operator who created the auditor's role starts the auditor.
            processes.append(auditor_process(self._secrets, self._ports, self._data_dir, self._settings, self._tls))
        processes += self._proxies()
        # They start at the same time, and share the processors while they do.
        self._supervisor.start(processes, START_TIMEOUT_SECONDS * self._replicas)
        self._complete = True
        self._write_state()

    def _servers(self) -> list[Process]:
        servers = [server for server in (self._postgres, self._pgbouncer, self._redis) if server is not None]
        for server in servers:
            server.prepare()
        processes = [Process(server.launch(), Stage.SERVERS, server.is_ready) for server in servers]
        if self._tls and (self._postgres or self._redis):
            backends = [server.backend() for server in (self._postgres, self._redis) if server is not None]
            stunnel = EmbeddedStunnel(
                self._data_dir.path / "stunnel",
                backends=backends,
                tls=self._tls.server("stunnel"),
                log=self._data_dir.log("stunnel"),
            )
            stunnel.prepare()
            processes.append(Process(stunnel.launch(), Stage.SERVERS, stunnel.is_ready))
        return processes

    def _proxies(self) -> list[Process]:
        if self._proxy is None:
            self._say("HAProxy is not installed: slow clients of the gateway can keep others waiting.")
            return []
        self._proxy.prepare()
        if self._edge:
            self._edge.prepare()
        return [
            *(
                [Process(self._edge.launch(), Stage.EDGE, self._edge.is_ready, url=self._edge.url)]
                if self._edge
                else []
            ),
            Process(
                self._proxy.launch(),
                Stage.PROXY,
                self._proxy.is_ready,
                url=self.gateway_url,
                operator_url=self._proxy.operator_url,
            ),
        ]

    def _embedded_edge(self, user: Mapping[str, str], *, proxied: bool) -> EmbeddedCaddy:
        if not proxied:
            raise LaunchError("--edge needs HAProxy, which is not installed.")
        if haproxy.CLIENT_ADDRESS_VARIABLE in user:
            raise LaunchError(f"--edge sends the client's address itself: unset {haproxy.CLIENT_ADDRESS_VARIABLE}.")
        return EmbeddedCaddy(self._data_dir.path / "edge", ports=self._ports, log=self._data_dir.log(caddy.NAME))

    def _gateway_proxy(self, program: Path, user: Mapping[str, str]) -> EmbeddedHaproxy:
        return EmbeddedHaproxy(
            program,
            self._data_dir.path / "proxy",
            ports=self._ports,
            settings=user,
            log=self._data_dir.log(haproxy.NAME),
            replicas=self._replicas,
            tls=self._tls.proxy(haproxy.NAME) if self._tls else None,
        )

    def _embedded_postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(
            self._data_dir.postgres,
            port=self._ports["postgres"],
            password=self._secrets.postgres_password,
            log=self._data_dir.log("postgres"),
            secured=self._tls.client_url if self._tls else None,
        )

    def _embedded_pgbouncer(self) -> EmbeddedPgbouncer:
        return EmbeddedPgbouncer(
            self._data_dir.path / "pgbouncer",
            port=self._ports["pgbouncer"],
            postgres_port=self._ports["postgres"],
            passwords={BY_NAME[name].database: self._secrets.role_passwords[name] for name in self._own_databases},
            log=self._data_dir.log("pgbouncer"),
        )

    def _embedded_redis(self) -> EmbeddedRedis:
        return EmbeddedRedis(
            self._data_dir.redis,
            port=self._ports["redis"],
            password=self._secrets.redis_password,
            users=redis_users.users(self._secrets.redis_passwords),
            log=self._data_dir.log("redis"),
            secured=self._tls.client_url if self._tls else None,
        )

    def _every_second(self) -> None:
        logfiles.bound(self._data_dir.logs)
        if self._tls and (warning := self._tls.warning_of_expiry()):
            self._say(warning)

    def _write_state(self) -> None:
        now = state.State(
            ready=self._complete and self._supervisor.all_ready(),
            gateway_url=self.gateway_url,
            postgres_url=self._postgres.administrator_url() if self._postgres else None,
            redis_url=self._redis.url(BROKER_DATABASE) if self._redis else None,
            processes=self._supervisor.running(),
        )
        self._write(now)

    def _write_nothing_runs(self) -> None:
        self._write(state.NOTHING_RUNS)

    def _write(self, content: state.State) -> None:
        try:
            state.write(self._data_dir, content)
        except LaunchError as error:
            # The system itself is well; only `status` will tell old news until the disk has room again.
            self._say(str(error))


def names_own_redis(user: Mapping[str, str]) -> bool:
    """Return whether the user names a broker for each service, or one for all, and a cache."""
    has_broker = BROKER_VARIABLE in user or all(BY_NAME[name].broker_variable in user for name in BUS)
    return has_broker and CACHE_VARIABLE in user


def run(
    data_dir: DataDir,
    *,
    gateway_port: int | None,
    replicas: int = 1,
    without: str | None = None,
    with_pgbouncer: bool = False,
    with_edge: bool = False,
    with_tls: bool = False,
    say: Callable[[str], None],
    ready: Callable[[str], None],
) -> None:
    """Run a system in the foreground until it is asked to stop; ``ready`` gets the gateway's URL."""
    watch = SignalWatch()
    data_dir.open()
    try:
        left = state.end_leftovers(data_dir)
        if left:
            say(f"Ended what an earlier run had left: {', '.join(left)}.")
        system = System(
            data_dir,
            gateway_port=gateway_port,
            watch=watch,
            say=say,
            replicas=replicas,
            without=without,
            with_pgbouncer=with_pgbouncer,
            with_edge=with_edge,
            with_tls=with_tls,
        )
        system.run(when_ready=partial(ready, system.public_url))
        say(f"Stopped. The data stays in {data_dir.path}.")
    finally:
        data_dir.close()
