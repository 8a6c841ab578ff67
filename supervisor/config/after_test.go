package config

// orderMistakes are those in after and [on_event].
var orderMistakes = []mistake{
	{"a backend that waits for itself", "name = 'shop'\nafter = ['db', 'shop']", 2, "after", "is this backend itself", "another one"},
	{"a backend that waits twice", "after = ['db', 'db']", 1, "after", "is there twice", "keep one"},
	{"a backend that waits for nobody", "after = ['']", 1, "after", "an empty name", `after = ["database"]`},
	{"a backend that waits for a line break", "after = [\"a\\nb\"]", 1, "after", "is no name of a backend", `after = ["database"]`},
	{"a backend that waits for one text", "after = 'db'", 1, "after", "wants a list of names, not a string", `after = ["database"]`},
	{"a command of one word for events", "[on_event]\ncommand = ['notify-send hello']", 2, "on_event.command", "no shell splits it", "a text of its own"},
	{"no command for events", "[on_event]\ncommand = []", 2, "on_event.command", "is empty", `command = ["./tell.sh"]`},
	{"events without a command", "[on_event]\nevents = ['crashed']", 2, "on_event.events", "without a command", `command = ["./tell.sh"]`},
	{"an event that is none", "[on_event]\ncommand = ['x']\nevents = ['exploded']", 3, "on_event.events", `"exploded" is no event`, "worker-died"},
	{"an event with an underscore", "[on_event]\ncommand = ['x']\nevents = ['gave_up']", 3, "on_event.events", `"gave_up" is no event`, `did you mean "gave-up"?`},
	{"no events", "[on_event]\ncommand = ['x']\nevents = []", 3, "on_event.events", "is empty", "troubles"},
	{"a command that may take for ever", "[on_event]\ncommand = ['x']\ntimeout = '1h'", 3, "on_event.timeout", "too long", "at most 5m"},
}
