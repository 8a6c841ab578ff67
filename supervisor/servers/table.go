package servers

import (
	"syscall"
	"time"
)

// The options that several rows share.
var (
	uvicornFlags = Flags{
		Port: []string{"--port"}, Host: []string{"--host"}, UDS: []string{"--uds"}, Workers: []string{"--workers"},
		AppDir: []string{"--app-dir"}, Root: []string{"--root-path"}, TLS: []string{"--ssl-keyfile", "--ssl-certfile"},
		Factory: []string{"--factory"}, Reload: []string{"--reload"}, Values: []string{
			"--loop", "--http", "--ws", "--lifespan", "--interface", "--env-file", "--log-config", "--log-level", "--forwarded-allow-ips", "--header",
			"--limit-concurrency", "--backlog", "--limit-max-requests", "--timeout-keep-alive", "--timeout-graceful-shutdown", "--ssl-keyfile-password",
			"--ssl-version", "--ssl-cert-reqs", "--ssl-ca-certs", "--ssl-ciphers", "--ws-max-size", "--ws-max-queue", "--ws-ping-interval", "--ws-ping-timeout", "--h11-max-incomplete-event-size", "--timeout-worker-healthcheck",
		},
		DropValue: []string{"--reload-dir", "--reload-include", "--reload-exclude", "--reload-delay", "--fd"},
		Variables: map[string]string{"UVICORN_PORT": "port", "UVICORN_HOST": "host"},
	}
	gunicornFlags = Flags{
		Bind: []string{"--bind", "-b"}, Workers: []string{"--workers", "-w"}, AppDir: []string{"--chdir", "--pythonpath"}, Config: []string{"--config", "-c"},
		TLS: []string{"--keyfile", "--certfile"}, Reload: []string{"--reload"},
		Drop: []string{"--daemon", "-D"}, DropValue: []string{"--pid", "-p", "--reload-engine", "--reload-extra-file"}, Values: []string{
			"--worker-class", "-k", "--threads", "--worker-connections", "--timeout", "-t", "--graceful-timeout", "--keep-alive", "--max-requests", "--max-requests-jitter",
			"--log-level", "--log-file", "--access-logfile", "--error-logfile", "--access-logformat", "--log-config", "--name", "-n", "--env", "-e", "--user", "-u", "--group", "-g",
			"--umask", "-m", "--backlog", "--forwarded-allow-ips", "--worker-tmp-dir", "--limit-request-line", "--limit-request-fields", "--proxy-allow-from", "--ca-certs", "--ciphers", "--statsd-host", "--paste",
		},
		Variables: map[string]string{"PORT": "port"},
	}
	flaskFlags = Flags{
		Port: []string{"--port", "-p"}, Host: []string{"--host", "-h"}, App: []string{"--app", "-A"}, TLS: []string{"--cert", "--certfile"},
		Reload: []string{"--reload", "--debug"}, NoReload: []string{"--no-reload"}, Drop: []string{"--debugger"}, DropValue: []string{"--extra-files", "--exclude-patterns"},
		Values: []string{"--env-file", "-e", "--key", "--keyfile"}, Variables: map[string]string{"FLASK_RUN_PORT": "port", "FLASK_RUN_HOST": "host"},
	}
	portAndHost = Flags{Port: []string{"--port"}, Host: []string{"--host"}}
)

// The sayings that several rows share: the standard library's own words.
var (
	addressInUse = Saying{`(?i)\[errno (?:48|98)\]|address already in use`, PortTaken}
	noModule     = Saying{`^(?:\w+\.)*(?:ModuleNotFoundError|ImportError): `, AppMissing}
)

// The words of Uvicorn, which many servers are built on.
var (
	uvicornListens = `Uvicorn running on (https?://\S+|unix socket \S+)`
	uvicornFails   = []Saying{
		{`Error loading ASGI app|Attribute "[^"]*" not found in module`, AppMissing}, {`Application startup failed`, StartupFailed}, {`ASGI app factory detected|Invalid value for '--`, BadOption}, addressInUse, noModule,
	}
)

// table is every server that Vivarium knows, the most specific first where a script could be two of them. A row without Start is
// started by another: by the script itself, or by what Via names.
var table = []Server{
	{
		Name: "uvicorn", Title: "Uvicorn", Package: "uvicorn", Programs: []string{"uvicorn"}, Modules: []string{"uvicorn"}, Calls: []string{"uvicorn.run", "uvicorn.Server"},
		App: Object, Start: []string{Python, "-m", "uvicorn", appHole, "--host", hostHole, "--port", Port}, Flags: uvicornFlags, Interface: "asgi",
		Port: 8000, Stop: syscall.SIGINT, Workers: Spawned, Reloader: Spawned, Listens: []string{uvicornListens}, Fails: uvicornFails,
	},
	{
		Name: "fastapi", Title: "FastAPI", Package: "fastapi[standard]", Programs: []string{"fastapi"}, Modules: []string{"fastapi"}, Serves: []string{"run", "dev"}, Makes: []string{"fastapi.FastAPI"},
		App: File, Via: []string{"uvicorn", "hypercorn", "granian", "gunicorn"}, Interface: "asgi", Port: 8000, Stop: syscall.SIGINT, Workers: Spawned, Reloader: Spawned,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Workers: []string{"--workers"}, App: []string{"--entrypoint", "-e"}, Root: []string{"--root-path"}, Reload: []string{"--reload"}, NoReload: []string{"--no-reload"},
			DropValue: []string{"--reload-dir"}, Values: []string{"--app", "--forwarded-allow-ips"}},
		Listens: []string{uvicornListens, `Server started at (http\S+)`}, Fails: append([]Saying{{`FastAPICLIException|Path does not exist|Could not find (?:FastAPI app|a default file)`, AppMissing}}, uvicornFails...),
	},
	{
		Name: "gunicorn", Title: "Gunicorn", Package: "gunicorn", Programs: []string{"gunicorn"}, Modules: []string{"gunicorn", "gunicorn.app.wsgiapp"},
		App: Object, Start: []string{Python, "-m", "gunicorn", appHole, "--bind", hostHole + ":" + Port}, Flags: gunicornFlags, Interface: "wsgi",
		Port: 8000, Stop: syscall.SIGTERM, Workers: Titled, Reloader: Titled,
		Listens: []string{`Listening at: (https?://\S+|unix:\S+)`}, Fails: []Saying{
			{`Connection in use: `, PortTaken}, {`Failed to (?:find (?:attribute|application)|parse)|AppImportError`, AppMissing}, {`Worker failed to boot|WORKER TIMEOUT|was sent SIG(?:KILL|SEGV|ABRT)`, WorkerFailed},
			{`unrecognized arguments|Error: (?:class uri|Invalid value)`, BadOption}, addressInUse, noModule},
	},
	{
		Name: "hypercorn", Title: "Hypercorn", Package: "hypercorn", Programs: []string{"hypercorn"}, Modules: []string{"hypercorn"}, Calls: []string{"hypercorn.run", "hypercorn.asyncio.serve", "hypercorn.trio.serve"},
		App: Object, Start: []string{Python, "-m", "hypercorn", appHole, "--bind", hostHole + ":" + Port}, Interface: "asgi", Port: 8000, Stop: syscall.SIGTERM, Workers: Spawned, Reloader: Again, EndsWithWorker: true,
		Flags: Flags{Bind: []string{"--bind", "-b"}, Workers: []string{"--workers", "-w"}, Config: []string{"--config", "-c"}, Root: []string{"--root-path"}, TLS: []string{"--keyfile", "--certfile"}, Reload: []string{"--reload"}, DropValue: []string{"--pid", "-p"},
			Values: []string{"--worker-class", "-k", "--access-logfile", "--access-logformat", "--error-logfile", "--log-level", "--log-config", "--log-file", "--graceful-timeout", "--keep-alive", "--ca-certs", "--ciphers", "--backlog", "--insecure-bind", "--quic-bind", "--server-name", "--umask", "-m", "--user", "-u", "--group", "-g"}},
		Listens: []string{`Running on (https?://\S+)`}, Fails: []Saying{{`NoAppError|Cannot load application`, AppMissing}, {`LifespanFailureError|LifespanTimeoutError`, StartupFailed}, addressInUse, noModule},
	},
	{
		Name: "granian", Title: "Granian", Package: "granian", Programs: []string{"granian"}, Modules: []string{"granian"}, Calls: []string{"granian.Granian"},
		App: Object, Start: []string{Python, "-m", "granian", appHole, "--interface", "{interface}", "--host", hostHole, "--port", Port}, Interface: "asgi", Port: 8000, Stop: syscall.SIGTERM, Workers: Titled, Reloader: Spawned,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, UDS: []string{"--uds"}, Workers: []string{"--workers"}, AppDir: []string{"--working-dir"}, Root: []string{"--url-path-prefix"}, TLS: []string{"--ssl-keyfile", "--ssl-certificate"}, Factory: []string{"--factory"},
			Reload: []string{"--reload"}, NoReload: []string{"--no-reload"}, DropValue: []string{"--pid-file", "--reload-paths", "--reload-ignore-dirs", "--reload-ignore-patterns", "--reload-tick"},
			Values:    []string{"--interface", "--http", "--blocking-threads", "--runtime-threads", "--runtime-mode", "--loop", "--task-impl", "--backlog", "--backpressure", "--log-level", "--log-config", "--access-log-fmt", "--env-files", "--process-name", "--respawn-interval", "--workers-lifetime", "--workers-kill-timeout", "--static-path-mount", "--static-path-route"},
			Variables: map[string]string{"GRANIAN_PORT": "port", "GRANIAN_HOST": "host"}},
		Listens: []string{`Listening at: (https?://\S+)`}, Fails: []Saying{{`Unexpected exit from worker-\d+`, WorkerFailed}, {`Application callable raised|lifespan (?:startup )?failed`, StartupFailed}, {`Invalid value for '--`, BadOption}, addressInUse, noModule},
	},
	{
		Name: "daphne", Title: "Daphne", Package: "daphne", Programs: []string{"daphne"}, Modules: []string{"daphne"},
		App: Object, Start: []string{Python, "-m", "daphne", "-b", hostHole, "-p", Port, appHole}, Interface: "asgi", Port: 8000, Stop: syscall.SIGTERM,
		Flags:   Flags{Port: []string{"--port", "-p"}, Host: []string{"--bind", "-b"}, UDS: []string{"--unix-socket", "-u"}, Root: []string{"--root-path"}, DropValue: []string{"--fd"}, Values: []string{"--endpoint", "-e", "--verbosity", "-v", "--http-timeout", "-t", "--access-log", "--log-fmt", "--ping-interval", "--ping-timeout", "--application-close-timeout", "--websocket_timeout", "--server-name"}},
		Listens: []string{`Listening on TCP address (\S+)`}, Fails: []Saying{{`Listen failure: .*(?:in use|Couldn't listen)`, PortTaken}, addressInUse, noModule, {`ImproperlyConfigured`, NotReady}},
	},
	{
		Name: "flask", Title: "Flask", Package: "flask", Programs: []string{"flask"}, Modules: []string{"flask"}, Serves: []string{"run"}, Makes: []string{"flask.Flask", "apiflask.APIFlask", "flask_openapi3.OpenAPI", "connexion.FlaskApp"},
		App: NoApp, Start: []string{Python, "-m", "flask", "--app", appHole, "run", "--host", hostHole, "--port", Port}, Flags: flaskFlags, Interface: "wsgi", Port: 5000, Stop: syscall.SIGINT, Reloader: Again, Via: []string{"flask", "gunicorn", "waitress"},
		Listens: []string{`Running on (https?://\S+)`}, Fails: []Saying{{`Port \d+ is in use by another program`, PortTaken}, {`Could not locate a Flask application|Failed to find (?:Flask application|attribute)|Could not import '`, AppMissing}, addressInUse, noModule},
	},
	{
		Name: "django", Title: "Django", Package: "django", Programs: []string{"django-admin", "manage.py"}, Modules: []string{"django"}, Serves: []string{"runserver", "runserver_plus", "testserver"}, Makes: []string{"django.core.asgi.get_asgi_application", "django.core.wsgi.get_wsgi_application", "channels.routing.ProtocolTypeRouter"},
		App: NoApp, Start: []string{Python, "manage.py", "runserver", "--noreload", hostHole + ":" + Port}, Via: []string{"uvicorn", "daphne", "hypercorn", "granian", "gunicorn", "waitress", "django"}, Interface: "asgi", Port: 8000, Stop: syscall.SIGINT, Reloads: true, Reloader: Again,
		Flags:   Flags{Positional: true, NoReload: []string{"--noreload"}, Values: []string{"--settings", "--pythonpath", "--verbosity", "-v"}},
		Listens: []string{`Starting (?:development|ASGI/\S+ version \S+ development) server at (https?://\S+?)/?$`}, Fails: []Saying{{`That port is already in use`, PortTaken}, {`ImproperlyConfigured|DisallowedHost|OperationalError: no such table`, NotReady}, addressInUse, noModule},
	},
	{
		Name: "litestar", Title: "Litestar", Package: "litestar[standard]", Programs: []string{"litestar"}, Modules: []string{"litestar"}, Serves: []string{"run"}, Makes: []string{"litestar.Litestar"},
		App: NoApp, Start: []string{Python, "-m", "litestar", "--app", appHole, "run", "--host", hostHole, "--port", Port}, Via: []string{"uvicorn", "litestar", "hypercorn", "granian"}, Interface: "asgi", Port: 8000, Stop: syscall.SIGINT, Workers: Spawned, Reloader: Spawned,
		Flags: Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-H"}, UDS: []string{"--uds", "-U"}, Workers: []string{"--wc", "--web-concurrency", "-W"}, App: []string{"--app"}, AppDir: []string{"--app-dir"}, Reload: []string{"--reload", "-r"}, TLS: []string{"--ssl-certfile", "--ssl-keyfile"},
			Drop: []string{"--debug", "-d", "--pdb", "-P"}, DropValue: []string{"--reload-dir", "-R", "--reload-include", "-I", "--reload-exclude", "-E", "--fd", "-F"}, Variables: map[string]string{"LITESTAR_PORT": "port", "LITESTAR_HOST": "host"}},
		Listens: []string{uvicornListens}, Fails: append([]Saying{{`Could not find (?:a )?Litestar|LitestarCLIException`, AppMissing}}, uvicornFails...),
	},
	{
		Name: "sanic", Title: "Sanic", Package: "sanic", Programs: []string{"sanic"}, Modules: []string{"sanic"}, Makes: []string{"sanic.Sanic"}, App: Object,
		Start: []string{Python, "-m", "sanic", appHole, "--single-process", "--host", hostHole, "--port", Port}, Via: []string{"sanic", "uvicorn"}, Interface: "asgi", Port: 8000, Stop: syscall.SIGTERM, Workers: Titled, Reloader: Spawned,
		Flags:   Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-H"}, UDS: []string{"--unix", "-u"}, Workers: []string{"--workers", "-w"}, TLS: []string{"--key", "--cert", "--tls"}, Factory: []string{"--factory"}, Reload: []string{"--reload", "-r", "--auto-reload", "--dev", "-d", "--debug"}, DropValue: []string{"--reload-dir", "-R"}, Values: []string{"--http", "--inspector-port"}},
		Listens: []string{`Goin' Fast @ (https?://\S+)`, `server: .*(https?://\S+)`}, Fails: []Saying{{`Module (?:is not a|\S+ not found)|Sanic app name`, AppMissing}, {`Not all workers acknowledged|Worker failed`, WorkerFailed}, addressInUse, noModule},
	},
	{
		Name: "aiohttp", Title: "aiohttp", Package: "aiohttp", Modules: []string{"aiohttp.web"}, Makes: []string{"aiohttp.web.Application"}, Calls: []string{"aiohttp.web.run_app"}, App: Object,
		Start: []string{Python, "-m", "aiohttp.web", "-H", hostHole, "-P", Port, appHole}, Via: []string{"script"}, Port: 8080, Stop: syscall.SIGINT,
		Flags: Flags{Port: []string{"--port", "-P"}, Host: []string{"--hostname", "-H"}, UDS: []string{"--path", "-U"}}, Listens: []string{`Running on (https?://\S+)`}, Fails: []Saying{addressInUse, noModule, {`unable to import|module .* has no attribute`, AppMissing}},
	},
	{Name: "starlette", Title: "Starlette", Package: "starlette", Makes: []string{"starlette.applications.Starlette"}, Via: []string{"uvicorn", "hypercorn", "granian", "gunicorn"}, Interface: "asgi", Port: 8000},
	{
		Name: "quart", Title: "Quart", Package: "quart", Programs: []string{"quart"}, Modules: []string{"quart"}, Serves: []string{"run"}, Makes: []string{"quart.Quart", "quart_trio.QuartTrio"}, App: NoApp,
		Start: []string{Python, "-m", "quart", "--app", appHole, "run", "--host", hostHole, "--port", Port}, Via: []string{"hypercorn", "uvicorn", "granian", "quart"}, Interface: "asgi", Port: 5000, Stop: syscall.SIGINT, Flags: flaskFlags, Reloader: Again,
		Listens: []string{`Running on (https?://\S+)`}, Fails: []Saying{{`Could not locate a Quart application|NoAppException`, AppMissing}, addressInUse, noModule},
	},
	{Name: "blacksheep", Title: "BlackSheep", Package: "blacksheep", Makes: []string{"blacksheep.Application", "blacksheep.server.Application"}, Via: []string{"uvicorn", "hypercorn", "granian"}, Interface: "asgi", Port: 8000},
	{Name: "socketio", Title: "Socket.IO", Package: "python-socketio", Makes: []string{"socketio.ASGIApp", "engineio.ASGIApp"}, Via: []string{"uvicorn", "hypercorn", "granian"}, Interface: "asgi", Port: 8000},
	{Name: "connexion", Title: "Connexion", Package: "connexion", Makes: []string{"connexion.AsyncApp"}, Via: []string{"uvicorn", "hypercorn"}, Interface: "asgi", Port: 8000},
	{Name: "falcon", Title: "Falcon", Package: "falcon", Makes: []string{"falcon.asgi.App"}, Via: []string{"uvicorn", "hypercorn", "granian"}, Interface: "asgi", Port: 8000},
	{Name: "falcon-wsgi", Title: "Falcon", Package: "falcon", Makes: []string{"falcon.App", "falcon.API"}, Via: []string{"gunicorn", "waitress"}, Interface: "wsgi", Port: 8000},
	{Name: "pyramid", Title: "Pyramid", Package: "pyramid", Programs: []string{"pserve"}, Modules: []string{"pyramid.scripts.pserve"}, Imports: []string{"pyramid"}, Via: []string{"script"}, App: File, Interface: "wsgi", Port: 6543, Stop: syscall.SIGINT, Flags: Flags{Reload: []string{"--reload"}, Values: []string{"--server-name", "-n", "--app-name"}}, Listens: []string{`[Ss]erving on (http\S+)`}, Fails: []Saying{addressInUse}},
	{Name: "robyn", Title: "Robyn", Package: "robyn", Programs: []string{"robyn"}, Modules: []string{"robyn"}, Makes: []string{"robyn.Robyn"}, Via: []string{"script"}, App: File, Port: 8080, Stop: syscall.SIGINT, Workers: Spawned, Flags: Flags{Drop: []string{"--dev"}, Values: []string{"--processes", "--workers", "--log-level"}, Variables: map[string]string{"ROBYN_PORT": "port", "ROBYN_HOST": "host"}}, Fails: []Saying{addressInUse}},
	{
		Name: "waitress", Title: "Waitress", Package: "waitress", Programs: []string{"waitress-serve"}, Modules: []string{"waitress"}, Calls: []string{"waitress.serve"}, App: Object,
		Start: []string{Python, "-m", "waitress", "--listen", hostHole + ":" + Port, appHole}, Interface: "wsgi", Port: 8080, Stop: syscall.SIGINT,
		Flags:   Flags{Port: []string{"--port"}, Host: []string{"--host"}, Bind: []string{"--listen"}, UDS: []string{"--unix-socket"}, Factory: []string{"--call"}, Root: []string{"--url-prefix"}, Values: []string{"--threads", "--channel-timeout", "--trusted-proxy", "--url-scheme", "--ident", "--backlog", "--connection-limit"}},
		Listens: []string{`Serving on (https?://\S+)`}, Fails: []Saying{{`There was an exception \((?:ImportError|ModuleNotFoundError)\)|Bad module|Malformed application`, AppMissing}, addressInUse, noModule},
	},
	{Name: "tornado", Title: "Tornado", Package: "tornado", Makes: []string{"tornado.web.Application"}, Calls: []string{"tornado.ioloop.IOLoop.current"}, Imports: []string{"tornado.web"}, Via: []string{"script"}, Port: 8888, Stop: syscall.SIGTERM, Workers: Forked, Reloader: Again, Fails: []Saying{addressInUse, noModule}},
	{
		Name: "bottle", Title: "Bottle", Package: "bottle", Programs: []string{"bottle.py"}, Modules: []string{"bottle"}, Makes: []string{"bottle.Bottle", "bottle.default_app"}, Calls: []string{"bottle.run"}, Imports: []string{"bottle"}, App: Object,
		Start: []string{Python, "-m", "bottle", "--bind", hostHole + ":" + Port, appHole}, Via: []string{"script", "bottle", "gunicorn", "waitress"}, Interface: "wsgi", Port: 8080, Stop: syscall.SIGINT, Reloader: Again,
		Flags:   Flags{Bind: []string{"--bind", "-b"}, Reload: []string{"--reload"}, Values: []string{"--server", "-s", "--plugin", "-p", "--conf", "-c", "--param", "-C"}},
		Listens: []string{`Listening on (https?://\S+)`}, Fails: []Saying{addressInUse, noModule},
	},
	{
		Name: "streamlit", Title: "Streamlit", Package: "streamlit", Programs: []string{"streamlit"}, Modules: []string{"streamlit"}, Serves: []string{"run", "hello"}, Imports: []string{"streamlit"}, App: File,
		Start:  []string{Python, "-m", "streamlit", "run", appHole, "--server.port", Port, "--server.address", hostHole, "--server.headless", "true", "--browser.gatherUsageStats", "false"},
		Health: "/_stcore/health", Port: 8501, Stop: syscall.SIGINT, Flags: Flags{Always: []string{"--server.headless", "true"}, Port: []string{"--server.port"}, Host: []string{"--server.address"}, Root: []string{"--server.baseUrlPath"}, TLS: []string{"--server.sslCertFile", "--server.sslKeyFile"},
			Values: []string{"--server.headless", "--browser.gatherUsageStats", "--server.runOnSave", "--server.fileWatcherType", "--server.maxUploadSize", "--server.enableCORS", "--server.enableXsrfProtection", "--theme.base", "--logger.level", "--browser.serverAddress", "--browser.serverPort"}, Variables: map[string]string{"STREAMLIT_SERVER_PORT": "port", "STREAMLIT_SERVER_ADDRESS": "host"}},
		Listens: []string{`(?:Local URL|URL): (https?://\S+)`}, Fails: []Saying{{`Port \d+ is (?:already in use|not available)`, PortTaken}, {`Invalid value: (?:File does not exist|Streamlit requires)|Error: Invalid value`, AppMissing}, addressInUse, noModule},
	},
	{
		Name: "gradio", Title: "Gradio", Package: "gradio", Programs: []string{"gradio"}, Modules: []string{"gradio"}, Imports: []string{"gradio"}, Calls: []string{".launch"}, Via: []string{"script"}, App: File, Health: "/", Port: 7860, Stop: syscall.SIGINT, Reloads: true, Reloader: Again,
		Flags:   Flags{Values: []string{"--demo-name", "--watch-dirs", "--encoding"}, Variables: map[string]string{"GRADIO_SERVER_PORT": "port", "GRADIO_SERVER_NAME": "host"}},
		Listens: []string{`Running on local URL:\s+(https?://[^\s,]+)`, uvicornListens}, Fails: []Saying{{`Cannot find empty port in range`, PortTaken}, addressInUse, noModule},
	},
	{
		Name: "jupyterlab", Title: "JupyterLab", Package: "jupyterlab", Programs: []string{"jupyter-lab"}, Modules: []string{"jupyterlab"}, App: NoApp, Start: []string{Python, "-m", "jupyterlab", "--no-browser", "--ip=" + hostHole, "--port=" + Port, "--ServerApp.port_retries=0"},
		Health: "/api", Port: 8888, Stop: syscall.SIGTERM, Flags: jupyterFlags, Listens: []string{`(https?://[^\s/]+/)(?:lab|tree)?`}, Fails: jupyterFails,
	},
	{
		Name: "jupyter", Title: "Jupyter Server", Package: "jupyter-server", Programs: []string{"jupyter", "jupyter-server", "jupyter-notebook", "jupyter-nbclassic"}, Modules: []string{"jupyter_server", "notebook", "jupyter"}, App: NoApp, Start: []string{Python, "-m", "jupyter_server", "--no-browser", "--ip=" + hostHole, "--port=" + Port, "--ServerApp.port_retries=0"},
		Health: "/api", Port: 8888, Stop: syscall.SIGTERM, Flags: jupyterFlags, Listens: []string{`(https?://[^\s/]+/)(?:lab|tree)?`}, Fails: jupyterFails,
	},
	{Name: "voila", Title: "Voilà", Package: "voila", Programs: []string{"voila"}, Modules: []string{"voila"}, App: File, Start: []string{Python, "-m", "voila", appHole, "--no-browser", "--port=" + Port, "--Voila.ip=" + hostHole}, Port: 8866, Stop: syscall.SIGTERM, Flags: Flags{Port: []string{"--port"}, Host: []string{"--Voila.ip"}}, Fails: jupyterFails},
	{
		Name: "mlflow", Title: "MLflow", Package: "mlflow", Programs: []string{"mlflow"}, Modules: []string{"mlflow"}, Serves: []string{"server", "ui"}, App: NoApp, Start: []string{Python, "-m", "mlflow", "server", "--host", hostHole, "--port", Port}, Health: "/health", Port: 5000, Stop: syscall.SIGTERM, Workers: Spawned,
		StopTakes: 5 * time.Second, Slow: "the server goes at once; its command line takes a big Python down, and its job runners are ended after it",
		Flags:   Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-h"}, Workers: []string{"--workers", "-w"}, Root: []string{"--static-prefix"}, Drop: []string{"--dev"}, Values: []string{"--backend-store-uri", "--registry-store-uri", "--default-artifact-root", "--artifacts-destination", "--gunicorn-opts", "--uvicorn-opts", "--waitress-opts", "--app-name", "--expose-prometheus", "--allowed-hosts", "--cors-allowed-origins"}, Variables: map[string]string{"MLFLOW_PORT": "port", "MLFLOW_HOST": "host"}},
		Listens: []string{uvicornListens, `Listening at: (https?://\S+)`}, Fails: append([]Saying{{`Connection in use|Port \d+ is (?:already )?in use`, PortTaken}, {`Error initializing backend store|Detected out-of-date database schema`, NotReady}}, uvicornFails...),
	},
	{
		Name: "chroma", Title: "Chroma", Package: "chromadb", Programs: []string{"chroma"}, Modules: []string{"chromadb.cli.cli"}, Serves: []string{"run"}, App: NoApp, Start: []string{Python, "-c", "from chromadb.cli.cli import app; app()", "run", "--host", hostHole, "--port", Port}, Health: "/api/v2/heartbeat", Port: 8000, Stop: syscall.SIGINT,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Values: []string{"--path", "--log-path"}}, Listens: []string{`(?:Listening on|Connect to Chroma at:) (\S+)`}, Fails: []Saying{{`Address .* is not available|port .* (?:is )?(?:not available|in use)`, PortTaken}, addressInUse, noModule},
	},
	{
		Name: "mlx-lm", Title: "MLX LM", Package: "mlx-lm", Programs: []string{"mlx_lm.server"}, Modules: []string{"mlx_lm.server", "mlx_lm"}, App: NoApp, Start: []string{Python, "-m", "mlx_lm", "server", "--host", hostHole, "--port", Port}, Health: "/health", Port: 8080, Stop: syscall.SIGINT,
		Flags:   Flags{Port: []string{"--port"}, Host: []string{"--host"}, Values: []string{"--model", "--adapter-path", "--draft-model", "--chat-template", "--log-level", "--max-tokens", "--temp", "--top-p", "--prompt-cache-size"}},
		Listens: []string{`Starting httpd at (\S+) on port`}, Fails: []Saying{{`RepositoryNotFoundError|Repository Not Found|No safetensors found|LocalEntryNotFoundError`, ModelMissing}, addressInUse, noModule},
	},
	{
		Name: "llama-cpp", Title: "llama-cpp-python", Package: "llama-cpp-python[server]", Modules: []string{"llama_cpp.server"}, App: NoApp, Start: []string{Python, "-m", "llama_cpp.server", "--host", hostHole, "--port", Port}, Health: "/v1/models", Port: 8000, Stop: syscall.SIGINT,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Config: []string{"--config_file"}, Values: []string{"--model", "--n_ctx", "--n_gpu_layers", "--chat_format", "--n_threads", "--clip_model_path"}, Variables: map[string]string{"PORT": "port", "HOST": "host"}}, Listens: []string{uvicornListens}, Fails: append([]Saying{{`Model path does not exist|Failed to load model from file`, ModelMissing}}, uvicornFails...),
	},
	{
		Name: "vllm", Title: "vLLM", Package: "vllm", Programs: []string{"vllm"}, Modules: []string{"vllm.entrypoints.cli.main", "vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server"}, Serves: []string{"serve"}, App: Model, Start: []string{Python, "-m", "vllm.entrypoints.cli.main", "serve", appHole, "--host", hostHole, "--port", Port}, Health: "/health", Port: 8000, Stop: syscall.SIGINT, Workers: Spawned,
		Flags:   Flags{Port: []string{"--port"}, Host: []string{"--host"}, UDS: []string{"--uds"}, Root: []string{"--root-path"}, Config: []string{"--config"}, TLS: []string{"--ssl-keyfile", "--ssl-certfile"}, Values: []string{"--model", "--served-model-name", "--tokenizer", "--dtype", "--max-model-len", "--tensor-parallel-size", "-tp", "--gpu-memory-utilization", "--quantization", "-q", "--api-key", "--chat-template", "--device"}},
		Listens: []string{`Starting vLLM API server \d* ?on (https?://\S+)`, uvicornListens}, Fails: append([]Saying{{`RepositoryNotFoundError|is not a (?:local folder|valid model identifier)`, ModelMissing}, {`Engine core initialization failed|EngineDeadError`, StartupFailed}}, uvicornFails...),
	},
	{
		Name: "sglang", Title: "SGLang", Package: "sglang", Modules: []string{"sglang.launch_server"}, App: NoApp, Start: []string{Python, "-m", "sglang.launch_server", "--host", hostHole, "--port", Port}, Health: "/health", Port: 30000, Stop: syscall.SIGINT, Workers: Spawned, Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Values: []string{"--model-path", "--tp"}}, Listens: []string{uvicornListens}, Fails: uvicornFails,
	},
	{
		Name: "infinity", Title: "Infinity", Package: "infinity-emb[all]", Programs: []string{"infinity_emb"}, Modules: []string{"infinity_emb.infinity_server", "infinity_emb"}, Serves: []string{"v2", "v1"}, App: NoApp, Start: []string{Python, "-c", "from infinity_emb.cli import cli; cli()", "v2", "--host", hostHole, "--port", Port}, Health: "/health", Port: 7997, Stop: syscall.SIGINT, Workers: Spawned,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Root: []string{"--url-prefix"}, Values: []string{"--model-id", "--served-model-name", "--batch-size", "--revision", "--engine", "--device", "--dtype", "--api-key"}, Variables: map[string]string{"INFINITY_PORT": "port", "INFINITY_HOST": "host"}}, Listens: []string{uvicornListens}, Fails: append([]Saying{{`is not a (?:local folder|valid model identifier)|RepositoryNotFoundError`, ModelMissing}}, uvicornFails...),
	},
	{Name: "litellm", Title: "LiteLLM", Package: "litellm[proxy]", Programs: []string{"litellm"}, Modules: []string{"litellm.proxy.proxy_cli"}, App: NoApp, Start: []string{Python, "-c", "from litellm import run_server; run_server()", "--host", hostHole, "--port", Port}, Health: "/health/liveliness", Port: 4000, Stop: syscall.SIGINT, Workers: Spawned, Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Config: []string{"--config", "-c"}, Workers: []string{"--num_workers"}, Values: []string{"--model", "-m", "--alias", "--api_base"}, Variables: map[string]string{"PORT": "port", "HOST": "host"}}, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "litserve", Title: "LitServe", Package: "litserve", Imports: []string{"litserve"}, Makes: []string{"litserve.LitServer"}, Calls: []string{"litserve.LitServer"}, Via: []string{"script"}, Health: "/health", Port: 8000, Stop: syscall.SIGINT, Workers: Spawned, Listens: []string{uvicornListens}, Fails: append([]Saying{{`(?:Inference|Model setup|setup) (?:worker )?failed|One or more workers failed`, WorkerFailed}}, uvicornFails...)},
	{
		Name: "bentoml", Title: "BentoML", Package: "bentoml", Programs: []string{"bentoml"}, Modules: []string{"bentoml"}, Serves: []string{"serve", "serve-http", "start-http-server"}, Imports: []string{"bentoml"}, App: Object, Start: []string{Python, "-m", "bentoml", "serve", appHole, "--host", hostHole, "--port", Port}, Health: "/livez", Port: 3000, Stop: syscall.SIGINT, Workers: Spawned,
		Flags: Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-h"}, Workers: []string{"--api-workers"}, AppDir: []string{"--working-dir"}, Reload: []string{"--reload"}, TLS: []string{"--ssl-certfile", "--ssl-keyfile"}, Values: []string{"--timeout", "--backlog", "--timeout-keep-alive"}, Variables: map[string]string{"BENTOML_PORT": "port", "BENTOML_HOST": "host"}}, Listens: []string{`listening on (https?://\S+)`}, Fails: append([]Saying{{`Failed to load bento or import service|ImportServiceError`, AppMissing}, {`Port \d+ is (?:already )?in use`, PortTaken}}, uvicornFails...),
	},
	{
		Name: "tensorboard", Title: "TensorBoard", Package: "tensorboard", Programs: []string{"tensorboard"}, Modules: []string{"tensorboard.main"}, App: NoApp, Start: []string{Python, "-m", "tensorboard.main", "--host", hostHole, "--port", Port}, Health: "/", Port: 6006, Stop: syscall.SIGTERM,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Root: []string{"--path_prefix"}, Values: []string{"--logdir", "--logdir_spec", "--window_title", "--reload_interval", "--samples_per_plugin"}}, Listens: []string{`at (https?://\S+)`}, Fails: []Saying{{`could not bind to`, PortTaken}, {`A logdir or db must be specified`, BadOption}, noModule},
	},
	{Name: "dash", Title: "Dash", Package: "dash", Makes: []string{"dash.Dash"}, Imports: []string{"dash"}, Via: []string{"script"}, Health: "/", Port: 8050, Stop: syscall.SIGINT, Reloader: Again, Flags: Flags{Variables: map[string]string{"PORT": "port", "HOST": "host"}}, Listens: []string{`(?:Dash is running|Running) on (https?://\S+?)/?$`}, Fails: []Saying{{`Port \d+ is in use by another program`, PortTaken}, addressInUse, noModule}},
	{
		Name: "panel", Title: "Panel", Package: "panel", Programs: []string{"panel"}, Modules: []string{"panel"}, Serves: []string{"serve"}, Imports: []string{"panel"}, App: File, Start: []string{Python, "-m", "panel", "serve", appHole, "--address", hostHole, "--port", Port, "--liveness"}, Health: "/liveness", Port: 5006, Stop: syscall.SIGINT, Workers: Forked, Reloader: Again,
		Flags: Flags{Port: []string{"--port"}, Host: []string{"--address"}, UDS: []string{"--unix-socket"}, Workers: []string{"--num-procs"}, Root: []string{"--prefix"}, TLS: []string{"--ssl-certfile", "--ssl-keyfile"}, Reload: []string{"--autoreload", "--dev"}, Drop: []string{"--show"}, Values: []string{"--allow-websocket-origin", "--index", "--args", "--num-threads", "--session-token-expiration", "--log-level", "--log-file", "--setup", "--warm"}, Variables: map[string]string{"BOKEH_PORT": "port"}}, Listens: []string{`(?:app running at|Launching server at): (https?://\S+)`, `Launching server at (https?://\S+)`}, Fails: []Saying{{`Cannot start Bokeh server, port \S+ is already in use`, PortTaken}, addressInUse, noModule},
	},
	{Name: "bokeh", Title: "Bokeh", Package: "bokeh", Programs: []string{"bokeh"}, Modules: []string{"bokeh"}, Serves: []string{"serve"}, App: File, Start: []string{Python, "-m", "bokeh", "serve", appHole, "--address", hostHole, "--port", Port}, Health: "/", Port: 5006, Stop: syscall.SIGINT, Workers: Forked, Flags: Flags{Port: []string{"--port"}, Host: []string{"--address"}, Workers: []string{"--num-procs"}, Drop: []string{"--show"}, DropValue: []string{"--dev"}, Values: []string{"--allow-websocket-origin", "--args"}}, Fails: []Saying{{`Cannot start Bokeh server`, PortTaken}, addressInUse, noModule}},
	{
		Name: "marimo", Title: "marimo", Package: "marimo", Programs: []string{"marimo"}, Modules: []string{"marimo"}, Serves: []string{"run", "edit", "new", "tutorial"}, Makes: []string{"marimo.App"}, App: File, Start: []string{Python, "-m", "marimo", "run", appHole, "--headless", "--host", hostHole, "--port", Port}, Health: "/health", Port: 2718, Stop: syscall.SIGTERM,
		Flags: Flags{Always: []string{"--headless"}, Port: []string{"--port", "-p"}, Host: []string{"--host"}, Root: []string{"--base-url"}, Reload: []string{"--watch"}, Drop: []string{"--sandbox"}, Values: []string{"--token-password", "--proxy", "--session-ttl"}}, Listens: []string{`URL: (https?://[^\s?]+)`}, Fails: []Saying{{`Invalid value: File|No such file`, AppMissing}, addressInUse, noModule},
	},
	{Name: "chainlit", Title: "Chainlit", Package: "chainlit", Programs: []string{"chainlit"}, Modules: []string{"chainlit"}, Serves: []string{"run"}, Imports: []string{"chainlit"}, App: File, Start: []string{Python, "-m", "chainlit", "run", appHole, "--headless", "--host", hostHole, "--port", Port}, Health: "/", Port: 8000, Stop: syscall.SIGINT, Flags: Flags{Always: []string{"--headless"}, Port: []string{"--port"}, Host: []string{"--host"}, Root: []string{"--root-path"}, Reload: []string{"--watch", "-w"}, Drop: []string{"--debug", "-d"}, Variables: map[string]string{"CHAINLIT_PORT": "port", "CHAINLIT_HOST": "host"}}, Listens: []string{`available at (https?://\S+)`}, Fails: uvicornFails},
	{Name: "nicegui", Title: "NiceGUI", Package: "nicegui", Imports: []string{"nicegui"}, Via: []string{"script"}, Health: "/", Port: 8080, Stop: syscall.SIGINT, Reloads: true, Reloader: Spawned, Listens: []string{`ready to go on (https?://[^\s,]+)`}, Fails: uvicornFails},
	{Name: "shiny", Title: "Shiny", Package: "shiny", Programs: []string{"shiny"}, Modules: []string{"shiny"}, Serves: []string{"run"}, Makes: []string{"shiny.App"}, App: File, Start: []string{Python, "-m", "shiny", "run", "--host", hostHole, "--port", Port, appHole}, Health: "/", Port: 8000, Stop: syscall.SIGINT, Reloader: Spawned, Flags: Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-h"}, AppDir: []string{"--app-dir", "-d"}, Reload: []string{"--reload", "-r"}, Drop: []string{"--launch-browser", "-b"}, DropValue: []string{"--reload-dir", "--reload-includes"}}, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "mesop", Title: "Mesop", Package: "mesop", Programs: []string{"mesop"}, Modules: []string{"mesop.bin.bin"}, Imports: []string{"mesop"}, App: File, Via: []string{"script"}, Port: 32123, Stop: syscall.SIGINT, Flags: Flags{Port: []string{"--port"}}, Fails: []Saying{addressInUse, noModule}},
	{Name: "datasette", Title: "Datasette", Package: "datasette", Programs: []string{"datasette"}, Modules: []string{"datasette"}, App: File, Start: []string{Python, "-m", "datasette", appHole, "--host", hostHole, "--port", Port}, Health: "/-/versions.json", Port: 8001, Stop: syscall.SIGINT, Flags: Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-h"}, Reload: []string{"--reload"}, Drop: []string{"--open", "-o"}, Values: []string{"--metadata", "-m", "--setting", "--inspect-file", "--plugins-dir", "--template-dir", "--static", "--config", "-c"}}, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "open-webui", Title: "Open WebUI", Package: "open-webui", Programs: []string{"open-webui"}, Modules: []string{"open_webui"}, Serves: []string{"serve", "dev"}, App: NoApp, Start: []string{Python, "-c", "from open_webui import app; app()", "serve", "--host", hostHole, "--port", Port}, Health: "/health", Port: 8080, Stop: syscall.SIGINT, Flags: portAndHost, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "langgraph", Title: "LangGraph", Package: "langgraph-cli[inmem]", Programs: []string{"langgraph"}, Modules: []string{"langgraph_cli"}, Serves: []string{"dev", "up"}, App: NoApp, Start: []string{Python, "-m", "langgraph_cli", "dev", "--no-reload", "--no-browser", "--host", hostHole, "--port", Port}, Health: "/ok", Port: 2024, Stop: syscall.SIGINT, Reloads: true, Reloader: Spawned, Flags: Flags{Always: []string{"--no-browser"}, Port: []string{"--port"}, Host: []string{"--host"}, NoReload: []string{"--no-reload"}, Config: []string{"--config", "-c"}, Values: []string{"--n-jobs-per-worker", "--debug-port"}}, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "langflow", Title: "Langflow", Package: "langflow", Programs: []string{"langflow"}, Modules: []string{"langflow"}, Serves: []string{"run"}, App: NoApp, Start: []string{Python, "-m", "langflow", "run", "--host", hostHole, "--port", Port, "--no-open-browser"}, Health: "/health", Port: 7860, Stop: syscall.SIGINT, Workers: Titled, Flags: Flags{Always: []string{"--no-open-browser"}, Port: []string{"--port"}, Host: []string{"--host"}, Workers: []string{"--workers"}, Drop: []string{"--dev"}, Values: []string{"--env-file", "--log-level", "--components-path"}}, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "prefect", Title: "Prefect", Package: "prefect", Programs: []string{"prefect"}, Modules: []string{"prefect"}, Serves: []string{"server"}, App: NoApp, Start: []string{Python, "-m", "prefect", "server", "start", "--host", hostHole, "--port", Port}, Health: "/api/health", Port: 4200, Stop: syscall.SIGINT, Flags: Flags{Port: []string{"--port"}, Host: []string{"--host"}, Drop: []string{"--background", "-b"}, Variables: map[string]string{"PREFECT_SERVER_API_PORT": "port", "PREFECT_SERVER_API_HOST": "host"}}, Listens: []string{uvicornListens}, Fails: uvicornFails},
	{Name: "dagster", Title: "Dagster", Package: "dagster-webserver", Programs: []string{"dagster", "dagster-webserver"}, Modules: []string{"dagster", "dagster_webserver"}, Serves: []string{"dev"}, App: NoApp, Start: []string{Python, "-m", "dagster", "dev", "--host", hostHole, "--port", Port}, Health: "/server_info", Port: 3000, Stop: syscall.SIGINT, Workers: Again, Flags: Flags{Port: []string{"--port", "-p"}, Host: []string{"--host", "-h"}, Values: []string{"--python-file", "-f", "--module-name", "-m", "--workspace", "-w"}}, Listens: []string{`Serving dagster-webserver on (https?://\S+)`}, Fails: uvicornFails},
	{Name: "serve", Title: "Ray Serve", Package: "ray[serve]", Programs: []string{"serve"}, Modules: []string{"ray.serve.scripts"}, Serves: []string{"run"}, App: Object, Health: "/-/healthz", Port: 8000, Stop: syscall.SIGINT, Flags: Flags{AppDir: []string{"--app-dir"}, Reload: []string{"--reload", "-r"}, Values: []string{"--working-dir", "--runtime-env", "--address", "--route-prefix", "--name"}}},
	{
		Name: "celery", Title: "Celery", Package: "celery", Programs: []string{"celery"}, Modules: []string{"celery"}, Serves: []string{"worker", "beat", "multi"}, Makes: []string{"celery.Celery"}, App: NoApp, Start: []string{Python, "-m", "celery", "--app", appHole, "worker", "--loglevel", "INFO"}, Stop: syscall.SIGTERM, Workers: Titled,
		StopTakes: 9 * time.Second, Slow: "a warm shutdown waits for the tasks that have begun, and for the pool",
		Flags: Flags{App: []string{"--app", "-A"}, AppDir: []string{"--workdir"}, Workers: []string{"--concurrency", "-c"}, Drop: []string{"--detach", "-D"}, DropValue: []string{"--pidfile"}, Values: []string{"--broker", "-b", "--result-backend", "--loader", "--config", "--pool", "-P", "--loglevel", "-l", "--queues", "-Q", "--hostname", "-n", "--logfile", "-f", "--schedule", "-s", "--scheduler", "-S", "--max-tasks-per-child", "--autoscale", "--prefetch-multiplier", "-O"}},
		Fails: []Saying{{`Cannot connect to (?:\w+)://|OperationalError.*(?:refused|Errno 111|Errno 61)`, NoBroker}, {`Unable to load celery application|The module \S+ was not found`, AppMissing}, {`Process '\S+' pid:\d+ exited with|Worker exited prematurely|WorkerLostError`, WorkerFailed}, noModule},
	},
	{Name: "flower", Title: "Flower", Package: "flower", Programs: []string{"flower"}, Modules: []string{"flower"}, App: NoApp, Health: "/healthcheck", Port: 5555, Stop: syscall.SIGINT, Flags: Flags{Port: []string{"--port"}, Host: []string{"--address"}}, Fails: []Saying{addressInUse}},
	{
		Name: "rq", Title: "RQ", Package: "rq", Programs: []string{"rq"}, Modules: []string{"rq.cli"}, Serves: []string{"worker", "worker-pool", "scheduler", "cron"}, App: NoApp, Start: []string{Python, "-m", "rq.cli", "worker"}, Stop: syscall.SIGTERM, Workers: Titled,
		Flags: Flags{AppDir: []string{"--path", "-P"}, Config: []string{"--config", "-c"}, DropValue: []string{"--pid"}, Values: []string{"--url", "-u", "--name", "-n", "--worker-class", "-w", "--job-class", "-j", "--queue-class", "--results-ttl", "--worker-ttl", "--logging-level", "--serializer", "-S", "--num-workers"}}, Fails: []Saying{{`Error \d+ connecting to|Could not connect to Redis|redis\.exceptions\.ConnectionError`, NoBroker}, {`work-horse terminated unexpectedly`, WorkerFailed}, noModule},
	},
	{
		Name: "dramatiq", Title: "Dramatiq", Package: "dramatiq", Programs: []string{"dramatiq"}, Modules: []string{"dramatiq"}, App: Dotted, Start: []string{Python, "-m", "dramatiq", appHole}, Stop: syscall.SIGTERM, Workers: Titled, Reloader: Spawned,
		StopTakes: 6 * time.Second, Slow: "its worker threads finish the message that they have, and look for the stop once a second", Imports: []string{"dramatiq"},
		Flags: Flags{Workers: []string{"--processes", "-p"}, AppDir: []string{"--path", "-P"}, Reload: []string{"--watch-use-polling"}, DropValue: []string{"--pid-file", "--watch", "-i", "--watch-include", "-e", "--watch-exclude"}, Values: []string{"--threads", "-t", "--queues", "-Q", "--log-file", "--worker-shutdown-timeout", "--fork-function", "-f"}}, Fails: []Saying{{`(?:Redis|AMQP).*(?:refused|ConnectionError)|Connection(?:Error|Closed)`, NoBroker}, {`Worker (?:process )?failed to (?:boot|start)|Worker with PID \d+ exited unexpectedly`, WorkerFailed}, {`Failed to import`, AppMissing}, noModule},
	},
	{Name: "http", Title: "Python's http.server", Modules: []string{"http.server"}, App: NoApp, Start: []string{Python, "-m", "http.server", "--bind", hostHole, Port}, Health: "/", Port: 8000, Stop: syscall.SIGINT, Flags: Flags{Host: []string{"--bind", "-b"}, Positional: true, Values: []string{"--directory", "-d", "--protocol"}}, Listens: []string{`Serving HTTP on .*\((https?://\S+?)/?\)`}, Fails: []Saying{addressInUse}},
	{Name: "uwsgi", Title: "uWSGI", Package: "uwsgi", Programs: []string{"uwsgi"}, App: NoApp, Stop: syscall.SIGINT, Workers: Forked, Interface: "wsgi", Flags: Flags{Bind: []string{"--http", "--http-socket", "--socket", "-s"}, Workers: []string{"--processes", "-p", "--workers"}, AppDir: []string{"--chdir"}, App: []string{"--module", "-w", "--wsgi"}, Drop: []string{"-M"}, DropValue: []string{"--daemonize", "--pidfile"}, Values: []string{"--threads", "--ini", "--wsgi-file", "--callable", "--stats"}}, Port: 8000, Fails: []Saying{{`probably another instance of uWSGI`, PortTaken}, addressInUse}},
	{Name: "script", Title: "a script", App: File, Start: []string{Python, appHole}, Fails: []Saying{addressInUse, noModule}},
	{Name: "module", Title: "a package", App: Dotted, Start: []string{Python, "-m", appHole}, Fails: []Saying{addressInUse, noModule}},
}

// Jupyter's programs are one application with several names.
var (
	jupyterFlags = Flags{
		Always: []string{"--no-browser", "--ServerApp.port_retries=0"},
		Port:   []string{"--port", "--ServerApp.port", "--NotebookApp.port"}, Host: []string{"--ip", "--ServerApp.ip", "--NotebookApp.ip"}, Config: []string{"--config"}, Root: []string{"--ServerApp.base_url"}, TLS: []string{"--certfile", "--keyfile"},
		Values: []string{"--notebook-dir", "--ServerApp.root_dir", "--log-level"}, Variables: map[string]string{"JUPYTER_PORT": "port"},
	}
	jupyterFails = []Saying{{`The port \d+ is already in use|because port \d+ is not available`, PortTaken}, {`Bad config encountered|Unrecognized alias`, BadOption}, addressInUse, noModule}
)
