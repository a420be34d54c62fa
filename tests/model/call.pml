/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of one call, for spin: Alice's user, app, daemon and kernel; Bob's
 * daemon; the relay between them; an attacker on Alice's machine; deaths at any moment.
 *
 * Time is counted in ticks. Every clock that matters is an age or a
 * remainder, saturated, so that the state space is finite. Cryptography is not
 * modelled (a blob that verifies was made by its author); what is modelled is
 * who may say yes, in what order, and for how long.
 *
 * Each guard of the design can be taken out with -DNO_<GUARD>; tests/model/run
 * shows that spin then finds a capture that must not be, or one that never ends.
 */
#ifndef BEATS
#define BEATS 3 /* heartbeats that each side sends at most */
#endif
#ifndef QUEUE
#define QUEUE 2 /* blobs that the relay holds at once in one direction */
#endif
#define DEAD  3 /* ticks of dead time */
#define GRANT 2 /* ticks of the longest grant */
#define GRACE 2 /* ticks of microphone before the numbers are compared */
#define OLD   7 /* ages stop counting here */

#define MICROPHONE 1
#define CAMERA	   2

mtype = { INIT, RESP, FIN, BEAT, CLOSE };

/* What the relay holds: it may drop, delay and reorder. Field 2: echo of a beat. */
chan to_bob = [QUEUE] of { mtype, byte };
chan to_alice = [QUEUE] of { mtype, byte };

/* Facts that Alice's daemon has. */
bool approved, confirmed, ended, matched, asked;
byte sent[BEATS + 1]; /* age of each of Alice's messages that can be echoed; [0] is FIN */
byte alice_seq;	      /* the last one she sent */
byte alive;	      /* ticks that the last proof still covers; counts from FIN */
byte live_for;	      /* ticks since confirmation */
bool alice_up = true;
bool controller = true; /* whether the kernel has a controller */

/* Facts of Bob's daemon. */
bool bob_up = true, bob_accepted;
byte bob_seq, bob_echo;
bool bob_has_fin;

/* The kernel's grant for the app's image. */
byte image = 1; /* of the app: exec changes it */
byte grant_image, grant_kinds, grant_left;

/* Ghosts: what really happened. Read by assertions only. */
byte bob_dead_for, alice_dead_for, ended_for;
bool user_said_yes, user_compared;

#define COUNT(x)                                                                                   \
	if                                                                                         \
	:: x < OLD -> x++                                                                          \
	:: else                                                                                    \
	fi

/* What Alice's daemon allows at this moment. */
#ifdef NO_APPROVAL
#define IS_APPROVED true
#else
#define IS_APPROVED approved
#endif
#ifdef NO_CONFIRM
#define IS_CONFIRMED true
#else
#define IS_CONFIRMED confirmed
#endif
#ifdef NO_ALIVE
#define IS_ALIVE true
#else
#define IS_ALIVE (alive > 0)
#endif
#ifdef NO_END
#define IS_OPEN true
#else
#define IS_OPEN (!ended)
#endif
#ifdef NO_COMPARE
#define KINDS (MICROPHONE | CAMERA)
#else
#define KINDS (matched -> (MICROPHONE | CAMERA) : (live_for < GRACE -> MICROPHONE : 0))
#endif
#define MAY (IS_APPROVED && IS_CONFIRMED && IS_ALIVE && IS_OPEN && KINDS != 0)

/* No longer than a grant may be, and no longer than the proof lasts. */
#if defined(NO_CAP) || defined(NO_ALIVE)
#define LENGTH GRANT
#else
#define LENGTH (alive < GRANT -> alive : GRANT)
#endif

inline revoke()
{
	grant_left = 0;
	grant_kinds = 0;
	grant_image = 0
}

inline tick()
{
	d_step {
		byte i;
		for (i : 0 .. BEATS) {
			COUNT(sent[i])
		}
		i = 0;
		if
		:: alive > 0 -> alive--
		:: else
		fi;
		if
		:: confirmed && live_for < OLD -> live_for++
		:: else
		fi;
#ifndef NO_DEADLINE
		if
		:: grant_left > 0 -> grant_left--
		:: else
		fi;
		if
		:: grant_left == 0 -> revoke()
		:: else
		fi;
#endif
		if
		:: !bob_up -> COUNT(bob_dead_for)
		:: else
		fi;
		if
		:: !alice_up -> COUNT(alice_dead_for)
		:: else
		fi;
		/* A daemon that runs acts on what has lapsed before the next tick. */
		if
		:: alice_up && !(MAY) -> revoke()
		:: alice_up && (MAY) && (grant_kinds & ~KINDS) -> grant_kinds = grant_kinds & KINDS
		:: else
		fi
	}
}

proctype Time()
{
	do
	:: tick()
	od
}

proctype User()
{
	/* One question; at most one yes. */
	if
	:: asked -> atomic { approved = true; user_said_yes = true }
	:: skip
	fi;
	if
	:: confirmed -> atomic { matched = true; user_compared = true }
	:: confirmed -> atomic { ended = true; revoke() } /* hangs up, or the numbers differ */
	:: skip
	fi;
	if
	:: atomic { alice_up -> ended = true; revoke() }
	:: skip
	fi
}

proctype Alice()
{
	byte echo;
	bool init_out, fin_out, fin_due;

end:	do
	:: alice_up && !asked -> asked = true
	:: atomic { alice_up && !ended && IS_APPROVED && !init_out && nfull(to_bob) -> to_bob!INIT(0); init_out = true }
	:: atomic { alice_up && !ended && to_alice?[RESP, _] -> to_alice?RESP(_);
		if
		:: init_out && !fin_out -> fin_out = true; fin_due = true; sent[0] = 0; alive = DEAD
		:: else
		fi }
	:: atomic { alice_up && fin_due && nfull(to_bob) -> to_bob!FIN(0); fin_due = false }
	:: atomic { alice_up && !ended && to_alice?[BEAT, _] -> to_alice?BEAT(echo);
		if
		:: fin_out && echo <= alice_seq ->
			confirmed = true;
#ifdef NO_ECHO
			alive = DEAD
#else
			if
			:: sent[echo] < DEAD && DEAD - sent[echo] > alive -> alive = DEAD - sent[echo]
			:: else
			fi
#endif
		:: else
		fi;
		echo = 0 }
	:: atomic { alice_up && confirmed && !ended && alice_seq < BEATS && nfull(to_bob) ->
		alice_seq++;
		sent[alice_seq] = 0;
		to_bob!BEAT(alice_seq) }
	:: atomic { alice_up && to_alice?[CLOSE, _] -> to_alice?CLOSE(_); ended = true; revoke() }
	/* The grant, made or renewed while every fact holds. */
	:: atomic { alice_up && controller && (MAY) && (LENGTH) > 0 && grant_left < (LENGTH) ->
		grant_image = 1;
		grant_kinds = KINDS;
		grant_left = LENGTH }
	:: atomic { alice_up -> alice_up = false; controller = false }
	:: atomic { !alice_up -> break }
	od
}

proctype Bob()
{
	bool resp_due;

end:	do
	:: atomic { bob_up && to_bob?[INIT, _] -> to_bob?INIT(_);
		if
		:: !bob_accepted -> bob_accepted = true; resp_due = true
		:: else
		fi }
	:: atomic { bob_up && resp_due && nfull(to_alice) -> to_alice!RESP(0); resp_due = false }
	:: atomic { bob_up && to_bob?[FIN, _] -> to_bob?FIN(_); bob_has_fin = bob_accepted }
	:: atomic { bob_up && to_bob?[BEAT, _] -> to_bob?BEAT(bob_echo) }
	:: atomic { bob_up && bob_has_fin && bob_seq < BEATS && nfull(to_alice) -> bob_seq++; to_alice!BEAT(bob_echo) }
	:: atomic { bob_up && bob_has_fin && nfull(to_alice) -> to_alice!CLOSE(0); bob_up = false; break }
	:: atomic { bob_up -> bob_up = false; break }
	od
}

/* Delay is the queues' own; the relay also drops, and lets a younger blob overtake. */
proctype Relay()
{
	mtype m;
	byte e;

end:	do
	:: atomic { nempty(to_bob) -> to_bob?m(e); m = 0; e = 0 }
	:: atomic { nempty(to_alice) -> to_alice?m(e); m = 0; e = 0 }
	:: atomic { len(to_alice) > 1 -> to_alice?m(e); to_alice!m(e); m = 0; e = 0 }
	:: atomic { len(to_bob) > 1 -> to_bob?m(e); to_bob!m(e); m = 0; e = 0 }
	od
}

/* A frame flows: by image `who`, of kind `kind`. */
#ifdef NO_IDENTITY
#define CAPTURES(who, kind) (grant_left > 0 && (grant_kinds & kind))
#else
#define CAPTURES(who, kind) (grant_left > 0 && (grant_kinds & kind) && grant_image == who)
#endif

inline captured(who, kind)
{
	assert(who == 1);
	assert(user_said_yes);
	assert(bob_has_fin);
	assert(kind != CAMERA || user_compared);
	assert(user_compared || live_for <= GRACE);
	assert(bob_dead_for < DEAD);
	assert(alice_dead_for <= GRANT);
	assert(!ended)
}

/* The approved app captures whenever it can, and may call exec. */
proctype App()
{
end:	do
	:: atomic { CAPTURES(image, MICROPHONE) -> captured(image, MICROPHONE) }
	:: atomic { CAPTURES(image, CAMERA) -> captured(image, CAMERA) }
	:: atomic { image == 1 -> image = 2 }
	od
}

/* Another program of the same user: captures, and offers itself as controller. */
proctype Attacker()
{
end:	do
	:: atomic { CAPTURES(3, MICROPHONE) -> captured(3, MICROPHONE) }
	:: atomic { CAPTURES(3, CAMERA) -> captured(3, CAMERA) }
#ifdef NO_CAPABILITY
	:: atomic { !controller -> controller = true; grant_image = 3; grant_kinds = MICROPHONE; grant_left = GRANT }
#endif
	od
}

init {
	atomic {
		run Time();
		run User();
		run Alice();
		run Bob();
		run Relay();
		run App();
		run Attacker()
	}
}

/* Every capture ends once somebody is gone: whatever the relay does, and whatever it still holds. */
ltl ends { [] ((!bob_up || !alice_up || ended) -> <> (grant_left == 0)) }
