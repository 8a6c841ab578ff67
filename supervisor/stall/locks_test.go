package stall

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stuck are three looks at threads of one file that stand still, each at a lock; lines are where they are, innermost first.
func stuck(source string, threads ...[]int) Case {
	text := strings.Split(strings.TrimPrefix(source, "\n"), "\n")
	c := Case{Phase: Unhealthy, Dir: "/srv/app", Source: func(file string) []string {
		if file == "/srv/app/main.py" {
			return text
		}
		return nil
	}}
	for n := range 3 {
		s := Sample{At: time.Unix(int64(1000+n), 0), State: Sleeping}
		for i, lines := range threads {
			t := Thread{ID: uint64(i + 1), Main: i == 0}
			for _, l := range lines {
				t.Frames = append(t.Frames, Frame{File: "/srv/app/main.py", Line: l, Function: "f"})
			}
			s.Threads = append(s.Threads, t)
		}
		c.Samples = append(c.Samples, s)
	}
	return c
}

// Who holds a lock is read from the lines above; a person may write more between them than statements.
func TestALockIsHeldWhateverStandsBetweenItsLineAndTheWork(t *testing.T) {
	for name, source := range map[string]string{
		"nothing": `
def one():
    with a:
        with b:
            pass
def two():
    with b:
        with a:
            pass`,
		"empty lines": `
def one():
    with a:

        with b:
            pass
def two():
    with b:

        with a:
            pass`,
		"code that was taken out, at the beginning of the line": `
def one():
    with a:
#       log("in one")
        with b:
            pass
def two():
    with b:
#       log("in two")
        with a:
            pass`,
		"a comment that is indented less": `
def one():
    with a:
  # first the index
        with b:
            pass
def two():
    with b:
  # first the store
        with a:
            pass`,
		"a comment behind": `
def one():
    with a:  # the index
        with b:  # the store
            pass
def two():
    with b:  # the store
        with a:  # the index
            pass`,
		"calls": `
def one():
    a.acquire()
    b.acquire()

def two():
    b.acquire()
    a.acquire()`,
		"a condition": `
def one():
    with a:
        if ready:
            with b:
                pass
def two():
    with b:
        for n in all:
            with a:
                pass`,
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(strings.TrimPrefix(source, "\n"), "\n")
			at := func(from int, words ...string) int {
				for n := from; n < len(lines); n++ {
					for _, w := range words {
						if strings.HasPrefix(strings.TrimSpace(lines[n]), w) {
							return n + 1
						}
					}
				}
				t.Fatal("no such line")
				return 0
			}
			second := at(0, "def two")
			st := Judge(stuck(source, []int{at(0, "with b", "b.acquire")}, []int{at(second, "with a", "a.acquire")}))
			require.Equal(t, KindDeadlock, st.Kind, "%+v", st)
			require.Contains(t, st.Summary, "2 threads wait for each other's locks")
		})
	}
}

func TestALockThatWasGivenBackIsNotHeld(t *testing.T) {
	for name, source := range map[string]string{
		"the block has ended": `
def one():
    with a:
        pass
    with b:
        pass
def two():
    with b:
        pass
    with a:
        pass`,
		"released": `
def one():
    a.acquire()
    a.release()
    with b:
        pass
def two():
    b.acquire()
    b.release()
    with a:
        pass`,
		"tried only": `
def one():
    a.acquire(blocking=False)

    with b:
        pass
def two():
    b.acquire(blocking=False)

    with a:
        pass`,
		"in another function": `
def zero():
    with a:
        pass
def one():
    with b: pass
def three():
    with b:
        pass
def two():
    with a: pass`,
		"taken out": `
def one():
    #with a:
    #a.acquire()
    with b:
        pass
def two():
    #with b:
    #b.acquire()
    with a:
        pass`,
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(strings.TrimPrefix(source, "\n"), "\n")
			last := func(from, to int, word string) (found int) {
				for n := from; n < to; n++ {
					if strings.HasPrefix(strings.TrimSpace(lines[n]), word) {
						found = n + 1
					}
				}
				return found
			}
			two, one := last(0, len(lines), "def two"), last(0, len(lines), "def one")
			st := Judge(stuck(source, []int{last(one, two, "with b")}, []int{last(two, len(lines), "with a")}))
			require.NotEqual(t, KindDeadlock, st.Kind, "%+v", st)
		})
	}
}

// A file may have changed since, or be another one: lines that are not there are no ground for anything.
func TestFramesOutsideOfTheirFileAreJudgedWithoutIt(t *testing.T) {
	const source = "with a:\n    with b:\n        pass"
	for _, lines := range [][2]int{{0, 0}, {-1, -5}, {1 << 30, 99}, {1, 2}, {2, 1}} {
		require.NotPanics(t, func() {
			st := Judge(stuck(source, []int{lines[0], lines[1]}, []int{lines[1]}, nil))
			require.NotEmpty(t, st.Kind)
			require.NotEmpty(t, st.Summary)
		})
	}
	c := stuck(source, []int{2})
	c.Source = nil
	require.NotEmpty(t, Judge(c).Kind)
	c.Samples = nil
	require.NotEmpty(t, Judge(c).Kind)
	require.NotEmpty(t, Judge(Case{}).Kind)
}

// Locks of one name may belong to many objects: what the lines do not tell is said with less certainty, or not at all.
func TestTheLocksOfObjectsAreToldApartWhereTheLinesTell(t *testing.T) {
	const store = `
class Store:
    def put(self):
        with self.a:
            with self.b:
                pass
    def get(self):
        with self.b:
            with self.a:
                pass
`
	cross := func(source string) Case {
		c := stuck(source, []int{4}, []int{8})
		for n := range c.Samples {
			c.Samples[n].Threads[0].Frames[0].Function, c.Samples[n].Threads[1].Frames[0].Function = "Store.put", "Store.get"
		}
		return c
	}
	for source, certain := range map[string]bool{
		store:                              false,
		store + "STORE = Store()":          true,
		store + "A = Store()\nB = Store()": false,
		store + "def make():\n    return Store()": false,
	} {
		st := Judge(cross(source))
		require.Equal(t, KindDeadlock, st.Kind, source)
		require.Equal(t, !certain, strings.Contains(st.Summary, "if they belong to one object"), st.Summary)
	}

	const twice = `
class Node:
    def size(self):
        with self.lock:
            return len(self.items)
    def total(self):
        with self.lock:
            return %
    def middle(self):
        return self.size()
`
	for call, kind := range map[string]Kind{
		"self.size()": KindDeadlock, "1 + self.size() + 1": KindDeadlock, "self.child.size()": KindLock, "sum(c.size() for c in self.all)": KindLock,
		"other.size()": KindLock, "len(self)": KindLock, "myself.size()": KindLock,
	} {
		require.Equal(t, kind, Judge(stuck(strings.Replace(twice, "%", call, 1), []int{3, 7}).named("size", "total")).Kind, call)
	}
	require.Equal(t, KindDeadlock, Judge(stuck(strings.Replace(twice, "%", "self.middle()", 1), []int{3, 9, 7}).named("size", "middle", "total")).Kind)
	require.Equal(t, KindLock, Judge(stuck(strings.Replace(twice, "%", "child.middle()", 1), []int{3, 9, 7}).named("size", "middle", "total")).Kind)
}

// named gives the first thread's frames the names of methods.
func (c Case) named(functions ...string) Case {
	for n := range c.Samples {
		for i, f := range functions {
			c.Samples[n].Threads[0].Frames[i].Function = "Node." + f
		}
	}
	return c
}

func TestTwoObjectsWhoseLocksAreTakenInOppositeOrder(t *testing.T) {
	const account = `
def pay(self, other):
    with self.lock:
        with other.lock:
            pass
def keep(self):
    with self.lock:
        work()
`
	paying := func(threads ...[]int) Case {
		c := stuck(account, threads...)
		for n := range c.Samples {
			for i := range c.Samples[n].Threads {
				c.Samples[n].Threads[i].Frames[0].Function = map[int]string{3: "Account.pay", 7: "Account.keep"}[threads[i][0]]
			}
		}
		return c
	}
	require.Equal(t, KindDeadlock, Judge(paying([]int{3}, []int{3})).Kind)
	require.NotEqual(t, KindDeadlock, Judge(paying([]int{3})).Kind, "one alone waits for somebody else")
	require.NotEqual(t, KindDeadlock, Judge(paying([]int{3}, []int{3}, []int{7})).Kind, "a third one holds such a lock, and works")
}

func TestALockThatManySharedIsNoDeadlockOfTwo(t *testing.T) {
	const shared = `
def work(self):
    with self.lock:
        with pool.lock:
            pass
`
	c := stuck(shared, []int{3}, []int{3})
	for n := range c.Samples {
		c.Samples[n].Threads[0].Frames[0].Function, c.Samples[n].Threads[1].Frames[0].Function = "work", "work"
	}
	require.NotEqual(t, KindDeadlock, Judge(c).Kind, "both wait for one lock")
	for _, made := range []string{"lock = threading.RLock()", "self.lock: threading.Lock = RLock()", "lock: Any = field(default_factory=threading.RLock)", "self.lock = threading.Condition()"} {
		source := "\n" + made + "\ndef one():\n    with lock:\n        with lock:\n            pass"
		require.NotEqual(t, KindDeadlock, Judge(stuck(source, []int{4})).Kind, made)
	}
	require.Equal(t, KindDeadlock, Judge(stuck("\nlock = threading.Lock()  # no RLock\ndef one():\n    with lock:\n        with lock:\n            pass", []int{4})).Kind)
}
