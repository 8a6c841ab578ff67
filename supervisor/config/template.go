package config

// Template is a vivarium.toml that changes nothing: every key stands as a comment with its default. `vivarium init` fills it in.
func Template() string { return template }

const template = `# How Vivarium runs this backend. What stands as a comment is the default: remove the # to change it.

# name = "backend"               # default: the folder's name
# command = ["{python}", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"]
# python = "auto"                # or the path of an interpreter; auto: .venv, venv, env, then the system's
# port = 8000                    # 0 = it listens nowhere: no port checks
# autostart = true               # start when the app starts
# env_file = ".env"              # a missing default is no error, a missing named one is
# login_shell_env = []           # names of variables to take from your login shell, as in ["PATH", "HF_TOKEN"]
# on_port_conflict = "take_over" # end a copy that was started by hand; or "refuse"
# after = []                     # backends that have to be healthy before this one is started, as in ["database"]
# keep_awake = "never"           # busy | running: while it is at work, or as long as it runs, the computer does not fall asleep by itself

[health]
# path = "/health"               # "" = none: healthy once its port takes a connection, or without a port once it has run for a second
#                                # or, instead of it: url = "https://127.0.0.1:8443/health", url = "unix:app.sock:/health"
# interval = "5s"                # unless it is named: less often once it is healthy, and on a battery
# timeout = "3s"
# startup = "3m"                 # how long the models may take to load
# failures = 3                   # in a row, before it is called unhealthy
# busy_limit = "10m"             # how long it may be too busy to answer
# quiet_start = "30s"            # a start without a line of log for so long is explained
# restart_hung = false
#                                # [health.deep] with path, method, body and expect asks for the real work once in a while (interval "5m"),
#                                # because a server may be wedged while its health check answers; see README

[restart]
# policy = "on-crash"            # always | on-crash | never; a server that was healthy and leaves by itself counts, too
# stable = "1m"                  # a run that lived so long clears the back-off
# give_up_after = 5              # 0 = never

[stop]
# signal = "SIGINT"              # the default for gunicorn and Celery is "SIGTERM"
# grace = "10s"

[log]
# file = "logs/server.log"
# max_size = "50MB"
# keep = 5                       # older files
# probes = false                 # true = also the lines that an access log writes of health probes

[recorder]
# enabled = true                 # says what Python does when it stands still, and what it raised

[on_event]
# command = ["./tell.sh"]        # gets each event as JSON on its standard input; no shell, and no secrets of the server's environment
# events = ["crashed", "ended", "gave-up", "port-taken", "stalled", "unhealthy", "worker-loop"]
# timeout = "10s"

[memory]                         # of all processes of the server together; sizes, as in "12GB", or shares of what the computer has; "" = off
# warn = "85%"                   # a warning, once
# restart = ""                   # it is stopped in good order and started anew, before the system ends it
# for = "30s"                    # so long above it; a shorter peak does not count

[environment]                    # override or switch off ("" = leave unset) any variable of the crash environment, or add your own
# OMP_NUM_THREADS = "4"
`
