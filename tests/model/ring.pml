/*
 * ring.pml - the protocol of the ring (shm/layout.h), small enough to be searched exhaustively.
 *
 * One writer, readers, two segments. The writer may be killed before every single store; a new one then makes a new segment and
 * renames it over the public name. Frames take one or two words of the arena, as the writer pleases.
 *
 * Memory is weaker than that of any machine we run on: stores that no fence separates become visible in any order (a process for
 * each segment, Memory, makes pending stores visible one by one; FENCE waits until none is pending). So a store fence that the
 * protocol needs is one whose absence this model notices: variants drop them one at a time. Loads are in order, but for the two variants
 * that exchange them.
 *
 * What is asserted: a read that is valid at its end is the whole of the sample asked for; whatever number `published` shows is
 * complete or gone, never "not yet"; got + lost == cursor; a name leads to a segment that is initialised. Spin adds: nobody
 * sleeps for ever.
 *
 * Macros for variants; ring.sh demands that each is found wrong:
 *   NO_RECLAIM            frames whose bytes are overwritten are not marked, only the owner of the slot
 *   NO_FENCE_ODD          no fence between marking victims and overwriting them
 *   NO_FENCE_EVEN         no fence between payload and even
 *   NO_FENCE_PUBLISHED    no fence between even and published
 *   NO_FENCE_FUTEX        no fence between published and the futex word
 *   PUBLISH_EARLY         published before the payload is written
 *   NO_VALIDATION         the reader does not look at the sequence again
 *   NO_LOAD_FENCE_BEGIN   the reader's loads of the slot's header overtake its first look at the sequence
 *   NO_LOAD_FENCE_END     its last look overtakes the loads of the payload
 *   PARITY_ONLY           any even sequence will do, as long as it does not change
 *   REUSE                 a new writer goes on in the segment of the dead one, adding one to each sequence it finds
 *   NAME_FIRST            the segment gets its name before it is initialised
 *   SPIN                  the reader waits for the end of a write (ck_sequence_read_begin)
 *   NO_TIMEOUT            waits without a time limit
 *   SLEEP_UNCOMPARED      the futex word is compared before, not in the act of, falling asleep
 *   NO_RELAY              the writer wakes one reader, and that one wakes no other
 *   COUNT_ONCE            a sample that is overwritten while it is read is not counted as lost
 * With NO_CRASH the writer is never killed: then even NO_TIMEOUT must be right, for no wake-up may get lost.
 */
#ifndef SAMPLES
#define SAMPLES 4
#endif
#ifndef SAMPLES_AGAIN
#define SAMPLES_AGAIN 1 /* by the second writer, in its new segment */
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef OPERATIONS
#define OPERATIONS 1
#endif
#define SLOTS 3
#define ARENA 4 /* words; a frame takes at most half */

#define EVEN(n) (2 * (((n)-1) / SLOTS) + 2)
#define SLOT(n) (((n)-1) % SLOTS)
#ifdef PARITY_ONLY
#define COMPLETE(s) (s % 2 == 0)
#else
#define COMPLETE(s) (s == EVEN(n))
#endif

/* cells of a segment */
#define SEQUENCE(s) (s)
#define PLACE(s) (SLOTS + (s)) /* the slot's header: 4 * offset + length of the frame */
#define WORD(i) (2 * SLOTS + (i))
#define OLDEST (2 * SLOTS + ARENA)
#define PUBLISHED (OLDEST + 1)
#define FUTEX (OLDEST + 2)
#define CELLS (OLDEST + 3)

typedef Segment {
	byte cell[CELLS];    /* what readers see */
	byte pending[CELLS]; /* 1 + the value on its way, 0 for none */
	byte in_flight;
	bool initialised, unlinked
};
Segment segment[2];
byte name; /* the segment that the public name leads to */
bool named;
bool asleep[READERS];
byte asleep_on[READERS];
#ifdef NO_CRASH
byte kills = 0;
#else
byte kills = 1;
#endif

#define VISIBLE(l) segment[g].cell[l]
#define FENCE segment[g].in_flight == 0

/* A store. One that follows another to the same cell does not overtake it. */
inline store(l, value)
{
	atomic {
		if
		:: kills > 0 -> kills--; goto killed
		:: true
		fi;
		segment[g].pending[l] == 0;
		segment[g].pending[l] = (value) + 1;
		segment[g].in_flight++
	}
}

#define COMMIT(l) \
	:: d_step { segment[g].pending[l] != 0 -> segment[g].cell[l] = segment[g].pending[l] - 1; segment[g].pending[l] = 0; segment[g].in_flight-- }

proctype Memory(byte g)
{
end:
	do
	COMMIT(SEQUENCE(0)) COMMIT(SEQUENCE(1)) COMMIT(SEQUENCE(2))
	COMMIT(PLACE(0)) COMMIT(PLACE(1)) COMMIT(PLACE(2))
	COMMIT(WORD(0)) COMMIT(WORD(1)) COMMIT(WORD(2)) COMMIT(WORD(3))
	COMMIT(OLDEST) COMMIT(PUBLISHED) COMMIT(FUTEX)
	od
}

inline initialise()
{
	d_step {
		do
		:: i < SLOTS -> segment[g].cell[SEQUENCE(i)] = 1; i++
		:: else -> break
		od;
		segment[g].cell[OLDEST] = 1;
		segment[g].initialised = true;
		i = 0
	}
}

/* rename(): the name changes hands in one step, and the file that it led to has no name any more. */
inline take_name()
{
	d_step {
		if
		:: named && name != g -> segment[name].unlinked = true
		:: else
		fi;
		name = g;
		named = true
	}
}

/* FUTEX_WAKE(1): each woken reader relays it. */
inline wake_one()
{
	d_step {
		do
		:: i < READERS && !(asleep[i] && asleep_on[i] == g) -> i++
		:: else -> break
		od;
		if
		:: i < READERS -> asleep[i] = false
		:: else
		fi;
		i = 0
	}
}

/* Places the frame of n: at the head of the arena, or at its begin if it does not fit there. */
inline place_frame()
{
	atomic {
		if
		:: size = 1
		:: size = 2
		fi;
		wrapped = head + size > ARENA;
		start = (wrapped -> 0 : head)
	}
}

/* Will sample `oldest` be overwritten by the frame of n? */
inline look_at_oldest()
{
	d_step {
		hit = oldest < n && n - oldest >= SLOTS;
#ifndef NO_RECLAIM
		if
		:: oldest < n && offset[SLOT(oldest)] < start + size && start < offset[SLOT(oldest)] + length[SLOT(oldest)] -> hit = true
		:: oldest < n && wrapped && offset[SLOT(oldest)] >= head -> hit = true
		:: else
		fi
#endif
	}
}

proctype Writer(byte g, samples)
{
	byte n = 1, oldest = 1, head, size, start, i;
	byte offset[SLOTS], length[SLOTS]; /* private: nothing is read back from the segment */
	bool wrapped, hit;

#ifdef REUSE
	if
	:: segment[g].initialised -> FENCE; n = VISIBLE(PUBLISHED) + 1; oldest = n
	:: else -> initialise()
	fi;
	take_name();
#elif defined NAME_FIRST
	take_name();
	initialise();
#else
	initialise();
	take_name();
#endif
	do
	:: n > samples -> break
	:: else ->
		place_frame();
		/* reclaim the owner of the slot, and every frame that lies in the way */
		do
		:: look_at_oldest();
			if
			:: !hit -> break
			:: else
			fi;
#ifdef REUSE
			if
			:: oldest + SLOTS != n -> store(SEQUENCE(SLOT(oldest)), VISIBLE(SEQUENCE(SLOT(oldest))) + 1); FENCE
			:: else
			fi;
#else
			store(SEQUENCE(SLOT(oldest)), EVEN(oldest) + 1);
#endif
			oldest++
		od;
		store(OLDEST, oldest);
#ifdef REUSE
		FENCE;
		if
		:: n > SLOTS || VISIBLE(SEQUENCE(SLOT(n))) != 1 -> store(SEQUENCE(SLOT(n)), VISIBLE(SEQUENCE(SLOT(n))) + 1)
		:: else
		fi;
#endif
#ifdef PUBLISH_EARLY
		store(PUBLISHED, n);
#endif
#ifndef NO_FENCE_ODD
		FENCE;
#endif
		store(WORD(start), n);
		if
		:: size == 2 -> store(WORD(start + 1), n)
		:: else
		fi;
		store(PLACE(SLOT(n)), 4 * start + size);
#ifndef NO_FENCE_EVEN
		FENCE;
#endif
#ifdef REUSE
		store(SEQUENCE(SLOT(n)), VISIBLE(SEQUENCE(SLOT(n))) + 1);
#else
		store(SEQUENCE(SLOT(n)), EVEN(n));
#endif
#ifndef NO_FENCE_PUBLISHED
		FENCE;
#endif
#ifndef PUBLISH_EARLY
		store(PUBLISHED, n);
#endif
#ifndef NO_FENCE_FUTEX
		FENCE;
#endif
		store(FUTEX, n);
		FENCE; /* the kernel's, at the begin of FUTEX_WAKE */
		wake_one();
		d_step {
			offset[SLOT(n)] = start;
			length[SLOT(n)] = size;
			head = start + size;
			n++;
			size = 0; start = 0; wrapped = false; hit = false
		}
	od;
	goto done;
killed:
#ifdef REUSE
	run Writer(g, samples);
#else
	run Writer(1, SAMPLES_AGAIN);
#endif
done:
	skip
}

/* Steps 1 to 3 of the reader: look, copy the slot's header, look again. */
inline read_header()
{
#ifdef NO_LOAD_FENCE_BEGIN
	place = VISIBLE(PLACE(SLOT(n)));
	seen = VISIBLE(SEQUENCE(SLOT(n)));
	ok = seen == EVEN(n);
#else
#ifdef SPIN
	VISIBLE(SEQUENCE(SLOT(n))) % 2 == 0;
#endif
	atomic { seen = VISIBLE(SEQUENCE(SLOT(n))); ok = COMPLETE(seen) };
	if
	:: ok -> place = VISIBLE(PLACE(SLOT(n))); ok = VISIBLE(SEQUENCE(SLOT(n))) == seen
	:: else
	fi
#endif
}

/* Steps 4 and 5: the payload in place, then rh_valid(). */
inline read_payload()
{
#ifdef NO_LOAD_FENCE_END
	ok = VISIBLE(SEQUENCE(SLOT(n))) == seen;
#endif
	first = VISIBLE(WORD(place / 4));
	atomic { second = (place % 4 == 2 -> VISIBLE(WORD(place / 4 + 1)) : first) };
#if !defined NO_LOAD_FENCE_END && !defined NO_VALIDATION
	ok = VISIBLE(SEQUENCE(SLOT(n))) == seen;
#endif
	assert(!ok || (first == n && second == n)) /* valid means whole */
}

inline read_sample()
{
	read_header();
	if
	:: ok -> read_payload()
	:: else
	fi;
	d_step { first = 0; second = 0; place = 0 }
}

/* rh_wait(): load the futex word, compare what is published with what was seen, sleep if the word is still the same. */
inline wait_for_news()
{
	seen = VISIBLE(FUTEX);
	if
	:: VISIBLE(PUBLISHED) == cursor ->
#ifdef SLEEP_UNCOMPARED
		if
		:: VISIBLE(FUTEX) == seen -> asleep_on[r] = g; asleep[r] = true; ok = true
		:: else
		fi;
#else
		d_step {
			if
			:: VISIBLE(FUTEX) == seen -> asleep_on[r] = g; asleep[r] = true; ok = true
			:: else
			fi
		};
#endif
		if
#ifdef NO_TIMEOUT
		:: ok -> !asleep[r]; ok = false;
#ifndef NO_RELAY
			wake_one() /* who was woken wakes another */
#endif
#else
		:: d_step { ok -> asleep[r] = false; ok = false } /* woken, or the time is up */
#endif
		:: else
		fi
	:: else
	fi;
	seen = 0
}

/* What rh_latest() or rh_next() take next, and what is lost by that. */
inline choose_next()
{
	if
	:: n = newest
	:: atomic {
			n = (VISIBLE(OLDEST) > cursor + 1 -> VISIBLE(OLDEST) : cursor + 1);
			n = (n > newest -> newest : n)
		}
	fi;
	lost = lost + n - 1 - cursor
}

inline account()
{
	d_step {
		assert(seen >= EVEN(n)); /* published: complete or gone, never "not yet" */
		cursor = n;
		if
		:: ok -> got++
#ifdef COUNT_ONCE
		:: !ok && seen == EVEN(n)
		:: !ok && seen != EVEN(n) -> lost++
#else
		:: !ok -> lost++
#endif
		fi;
		assert(got + lost == cursor) /* every number is accounted for */
	}
}

proctype Reader(byte r)
{
	byte g, n, seen, place, first, second, cursor, got, lost, newest, operations, i;
	bool ok;

	d_step { named -> g = name };
	assert(segment[g].initialised); /* a name leads to a whole segment */
	do
	:: operations == OPERATIONS -> break
	:: else ->
		operations++;
		if
		:: cursor < SAMPLES -> wait_for_news()
		:: else
		fi;
		if
		:: atomic { segment[g].unlinked -> g = name; cursor = 0; got = 0; lost = 0 } /* REPLACED: attach again */
		:: else
		fi;
		newest = VISIBLE(PUBLISHED);
		if
		:: n = newest % SAMPLES + 1; read_sample() /* rh_at(): a number that may not be there yet, without account */
		:: newest > cursor -> choose_next(); read_sample(); account()
		:: newest <= cursor
		fi;
		d_step { n = 0; seen = 0; newest = 0; ok = false }
	od
}

init
{
	byte r;
	atomic {
		run Memory(0);
		run Memory(1);
		run Writer(0, SAMPLES);
		do
		:: r < READERS -> run Reader(r); r++
		:: else -> break
		od
	}
}
