package paste

import (
	"cmp"
	"slices"
	"strings"
)

// arrange brings the lines of several sources into an order in which each traceback is in one piece. Containers are programs of their own:
// each keeps its lines together, the one that ended last. Processes of one program tell one story: only the tracebacks are kept together.
func arrange(ls []line, dead string) []line {
	if !isMixed(ls) {
		return ls
	}
	ranks := ranks(ls, dead)
	keys := traceKeys(ls)
	order := make([]int, len(ls))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ranks[group(ls[a])], ranks[group(ls[b])]), cmp.Compare(keys[a], keys[b]), cmp.Compare(a, b))
	})
	out := make([]line, len(ls))
	for i, from := range order {
		out[i] = ls[from]
	}
	return out
}

// group is the program that a line is of.
func group(l line) string {
	if l.carrier == container {
		return l.Source
	}
	return ""
}

// ranks orders the programs: the one that is known to have ended last, before it those with a traceback, and all by their last line.
func ranks(ls []line, dead string) map[string]int {
	type weight struct{ last, evidence int }
	seen := map[string]weight{}
	for i, l := range ls {
		g := group(l)
		w := seen[g]
		w.last = i
		if _, again := seen[g]; !again && isService(g) {
			w.evidence = -1
		}
		if w.evidence < 1 && (strings.HasPrefix(l.Text, fatalHeader) || strings.Contains(l.Text, traceHeader) || isFrame(l.Text)) {
			w.evidence = 1
		}
		if g != "" && sameName(g, dead) {
			w.evidence = 2
		}
		seen[g] = w
	}
	names := make([]string, 0, len(seen))
	for g := range seen {
		names = append(names, g)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(seen[a].evidence, seen[b].evidence), cmp.Compare(seen[a].last, seen[b].last))
	})
	ranks := make(map[string]int, len(names))
	for i, g := range names {
		ranks[g] = i
	}
	return ranks
}

// services are what people call the containers beside a program: a log of theirs is seldom why it ended.
var services = []string{
	"db", "database", "postgres", "postgresql", "mysql", "mariadb", "mongo", "mongodb", "redis", "valkey", "cache", "nginx", "caddy", "traefik", "proxy", "gateway",
	"rabbitmq", "kafka", "zookeeper", "nats", "minio", "qdrant", "chroma", "milvus", "weaviate", "elasticsearch", "prometheus", "grafana", "frontend", "ui",
}

func isService(name string) bool {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '/' }) {
		for _, s := range services {
			if part == s {
				return true
			}
		}
	}
	return false
}

// sameName reports whether two names are one container's: "backend-1" and "proj-backend-1" are.
func sameName(a, b string) bool {
	return a == b || a != "" && b != "" && (strings.HasSuffix(b, "-"+a) || strings.HasSuffix(a, "-"+b) || strings.HasSuffix(b, "_"+a) || strings.HasSuffix(a, "_"+b))
}

// block is a traceback that a source is printing.
type block struct {
	key  int // the index of its first line
	tail bool
	open bool
}

// traceKeys gives each line the index by which it is sorted: of a line within a traceback that of the traceback's first line.
func traceKeys(ls []line) []int {
	keys := make([]int, len(ls))
	blocks := map[string]*block{}
	for i, l := range ls {
		keys[i] = i
		b := blocks[l.Source]
		if b == nil {
			b = new(block)
			blocks[l.Source] = b
		}
		head := strings.Contains(l.Text, traceHeader) || strings.HasPrefix(l.Text, fatalHeader) || isFrame(l.Text)
		switch {
		case head && b.open:
			keys[i], b.tail = b.key, false
		case head:
			*b = block{key: i, open: true}
		case !b.open:
		case isBlank(l.Text) || isChained(l.Text):
			keys[i] = b.key
		case b.tail:
			b.open = false
		default:
			keys[i] = b.key
			if t := l.Text; t[0] != ' ' && t[0] != '\t' && t[0] != '|' && t[0] != '+' && !strings.HasPrefix(t, "Thread 0x") && !strings.HasPrefix(t, "Current thread") {
				b.tail = true
			}
		}
	}
	return keys
}

func isChained(s string) bool {
	return strings.HasPrefix(s, "During handling of the above exception") || strings.HasPrefix(s, "The above exception was the direct cause")
}
