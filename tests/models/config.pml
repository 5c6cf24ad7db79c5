/* The stages of the cluster's configuration (docs/decisions/0024, control/core/config/): three nodes, two changes, and
 * harms, each of which cuts one node off or kills one. A node that is cut off can come back, and one that is killed can
 * boot, at any time; before the end they do. SPIN looks at every state that can be reached, so at every order of steps.
 *
 * What holds:
 *
 *   two_open     without a harm no node has two changes open. With one it can: a node that boots may agree to a change
 *                before it hears, from a node that is late itself, that an earlier one is open
 *   decided      what is open or confirmed anywhere was decided by its master: a trial is not known to others
 *   told         once a node has taken a map, nothing is open at it that the sender of the map has closed
 *   seen         a change is confirmed by an operator where it runs
 *   late         nothing is confirmed at a node that has given it up
 *   restart      after a restart nothing runs that is not confirmed
 *   durable      what runs, but for a trial, is on the disk of its node
 *   equal        at the end all nodes know the same
 *   unconfirmed  at the end nothing is in effect that is not confirmed
 *   kept         at the end what was confirmed durably is in effect, or below what is
 *
 * Each rule that is broken on purpose, what breaks, and after how many harms:
 *
 *   M_EXPIRED_WINS        kept         0  expired is above confirmed
 *   M_ANSWER_EARLY        kept         1  an operator hears that a change is confirmed before it is durable
 *   M_RESTART_KEEPS_OPEN  restart      1  a restart goes on with what was open
 *   M_TRIAL_SENT          decided      0  the map has what is on trial as open
 *   M_SECOND_WHILE_OPEN   two_open     0  nobody minds that another change is pending
 *   M_MEMBERS_AGREE       two_open     0  the master alone minds
 *   M_CONFIRM_LATE        late         0  what was given up can be confirmed
 *   M_DECIDE_LATE         late         0  the master decides on what it has given up meanwhile
 *   M_CONFIRM_UNSEEN      seen         0  what is open can be confirmed, whether it runs or not
 *   M_PART_OF_MAP         told         0  each version of a map is in a message of its own
 *   M_TELL_IN_EFFECT      equal        0  of a map only what is in effect is sent
 *   M_APPLY_EARLY         durable      0  what is in effect runs before it is durable
 *   M_NO_DEADLINE         unconfirmed  0  what is open stays so until it is confirmed
 *
 * Left out, or simpler than the code:
 *
 *   Clocks. A deadline is a step that can come at any time; so is `qurectl config abort`. In time is what comes
 *   before the node itself has given the change up. The time that is left is in no map.
 *   Elections. Who leads is known at once to all that are together; the term of a later election is the greater one.
 *   Messages. They arrive at once or never: no message is overtaken by a later one. A request and its answer are one
 *   step, so are the canary's verdict and the master's decision. An objection, an abort or a silent member ends a
 *   change as its deadline at the master does.
 *   Disks. What a master decides and an operator confirms waits for the disk. All else is durable at once: a kill that
 *   undoes it is as if the node had not heard of it, or expires it.
 *   Records, signatures, expelled members, bodies, nodes that cannot run what is in effect, the bound of the map, and
 *   the new number that the master gives to what is in effect an hour after a change expired.
 *
 * By hand: spin -a -DM_EXPIRED_WINS config.pml && cc -O1 -DSAFETY -o pan pan.c && ./pan; ./pan -r config.pml.trail
 * HARMS bounds cuts and kills together: with 2 there are 2.8 million states, twelve times as many as with 1. */

#ifndef HARMS
#define HARMS 2
#endif
#define TERMS (HARMS + 1)
#define NODES 3
#define VERSIONS 2

/* How far a version is at a node, ascending: the greater one counts (stage_map.h). */
#define NONE 0
#define PREPARED 1
#define OPEN 2
#define EXPIRED 3
#define CONFIRMED 4

/* How far a change is at its master (proposer.h). */
#define FREE 0
#define VOTES 1
#define TRIAL 2
#define DECIDED 3
#define ENDED 4

/* Versions are 1 and 2; version 0 was confirmed before both. */
#define AT(n, v) ((n) * VERSIONS + (v) - 1)
#define OTHER(v) (3 - (v))

byte stage[NODES * VERSIONS]; /* in memory; while a node is down, what its disk has */
byte disk[NODES * VERSIONS];
byte trial[NODES]; /* the version that a node tries; 0: none */
byte leads[NODES]; /* the term in which a node is master; 0: it is none */
bool up[NODES] = true;

byte step[VERSIONS + 1];
byte owner[VERSIONS + 1]; /* its master */
byte term[VERSIONS + 1];  /* of that master when it numbered it */
byte asked[VERSIONS + 1]; /* a bit for each node whose vote is waited for */

byte terms = 1;
byte away = NODES; /* the node that is cut off; NODES: none */
byte harms;
bool in_time[VERSIONS + 1]; /* it was reported as confirmed */

#define TEXT(words) #words
#define BREAK(name) printf(TEXT(broken: name\n)); assert(false)
#define RULE(name, holds) \
  if \
  :: (holds) \
  :: else -> BREAK(name) \
  fi

#ifdef M_EXPIRED_WINS
#define RANK(s) ((s) == EXPIRED -> CONFIRMED + 1 : (s))
#else
#define RANK(s) (s)
#endif

#define IN_EFFECT(s) ((s) == OPEN || (s) == CONFIRMED)
#define IS_PENDING(s) ((s) == PREPARED || (s) == OPEN)
#define EFFECTIVE(n) (IN_EFFECT(stage[AT(n, 2)]) -> 2 : (IN_EFFECT(stage[AT(n, 1)]) -> 1 : 0))

/* Ledger::MayRun, Runnable; Holder::running */
#ifdef M_APPLY_EARLY
#define MAY_RUN(n, v) IN_EFFECT(stage[AT(n, v)])
#else
#define MAY_RUN(n, v) (IN_EFFECT(stage[AT(n, v)]) && IN_EFFECT(disk[AT(n, v)]))
#endif
#define RUNNABLE(n) (MAY_RUN(n, 2) -> 2 : (MAY_RUN(n, 1) -> 1 : 0))
#define RUNS(n) (trial[n] != 0 -> trial[n] : RUNNABLE(n))
#define ALL_DURABLE(n) (stage[AT(n, 1)] == disk[AT(n, 1)] && stage[AT(n, 2)] == disk[AT(n, 2)])

#define BIT(n) (1 << (n))
#define PEER1 ((me + 1) % NODES)
#define PEER2 ((me + 2) % NODES)
#define TOGETHER(a, b) (up[a] && up[b] && (away == NODES || (a) == (b) || (away != (a) && away != (b))))
#define TERM_OF(n, m) (TOGETHER(n, m) -> leads[m] : 0)
/* The term of the master that n follows; 0: it follows none. Of nodes that are together one leads at most. */
#define FOLLOWS(n) (TERM_OF(n, 0) + TERM_OF(n, 1) + TERM_OF(n, 2))
#define OBEYS(n, v) (TOGETHER(n, owner[v]) && leads[owner[v]] == term[v])
#define UNDER_WAY(n, v) (owner[v] == (n) && (step[v] == VOTES || step[v] == TRIAL))

/* Holder::Busy */
#ifdef M_SECOND_WHILE_OPEN
#define BUSY(n, v) false
#else
#define BUSY(n, v) (IS_PENDING(stage[AT(n, OTHER(v))]) && !((v) == 2 && stage[AT(n, 2)] == CONFIRMED))
#endif

inline Set(n, v, s) {
  stage[AT(n, v)] = s;
  disk[AT(n, v)] = s
}

/* Holder::Note, Reconcile: what ends a trial */
inline Settle(n) {
  if
  :: trial[n] != 0 && (stage[AT(n, trial[n])] == EXPIRED || RUNNABLE(n) >= trial[n]) -> trial[n] = 0
  :: else
  fi
}

inline End(v) {
  step[v] = ENDED;
  asked[v] = 0;
  owner[v] = 0
}

/* Proposer::FollowMaster */
inline LoseChange(n, v) {
  if
  :: UNDER_WAY(n, v) -> End(v)
  :: else
  fi
}

/* Holder::ExpireOldTerms */
inline ExpireOld(n, v) {
  if
  :: up[n] && stage[AT(n, v)] == PREPARED && term[v] < FOLLOWS(n) -> Set(n, v, EXPIRED); Settle(n)
  :: else
  fi
}

inline ExpireAllOld() {
  ExpireOld(0, 1);
  ExpireOld(0, 2);
  ExpireOld(1, 1);
  ExpireOld(1, 2);
  ExpireOld(2, 1);
  ExpireOld(2, 2)
}

/* Of two masters that meet the one with the lower term. */
inline Yield(n) {
  if
  :: leads[n] < leads[0] || leads[n] < leads[1] || leads[n] < leads[2] ->
     leads[n] = 0;
     LoseChange(n, 1);
     LoseChange(n, 2)
  :: else
  fi
}

/* Of what is said when it is durable, and not before. */
inline Confirmation(n, v) {
  RULE(late, stage[AT(n, v)] != EXPIRED);
#ifdef M_ANSWER_EARLY
  in_time[v] = true;
#endif
  stage[AT(n, v)] = CONFIRMED
}

/* Holder::OnSaved */
inline Save(n) {
  d_step {
    up[n] && !ALL_DURABLE(n) ->
    disk[AT(n, 1)] = stage[AT(n, 1)];
    disk[AT(n, 2)] = stage[AT(n, 2)];
    in_time[1] = in_time[1] || stage[AT(n, 1)] == CONFIRMED;
    in_time[2] = in_time[2] || stage[AT(n, 2)] == CONFIRMED;
    Settle(n);
    printf("n%d has stored its map: %d %d\n", n, stage[AT(n, 1)], stage[AT(n, 2)])
  }
}

/* Proposer::Obstacle. A master numbers upwards; what a master of a lower term numbers is lower. */
#define MAY_NUMBER(n, v) (up[n] && leads[n] != 0 && step[v] == FREE && !UNDER_WAY(n, OTHER(v)) && !BUSY(n, v) && \
  (step[OTHER(v)] == FREE || ((v) == 1 && term[2] > leads[n]) || ((v) == 2 && term[1] <= leads[n])) && \
  !(IN_EFFECT(stage[AT(n, OTHER(v))]) && term[OTHER(v)] > leads[n]))

/* Proposer::Begin, and the master's own vote */
inline Propose(n, v) {
  d_step {
    MAY_NUMBER(n, v) ->
    step[v] = VOTES;
    owner[v] = n;
    term[v] = leads[n];
    asked[v] = (TOGETHER(n, PEER1) -> BIT(PEER1) : 0) + (TOGETHER(n, PEER2) -> BIT(PEER2) : 0);
    Set(n, v, PREPARED);
    printf("n%d makes change %d\n", n, v)
  }
}

/* Holder::OnPrepare, OnValidated; Proposer::OnVote */
#define IS_ASKED(n, v) (step[v] == VOTES && (asked[v] & BIT(n)) != 0)
#ifdef M_MEMBERS_AGREE
#define OBJECTS(n, v) (stage[AT(n, v)] > PREPARED)
#else
#define OBJECTS(n, v) (stage[AT(n, v)] > PREPARED || BUSY(n, v) || EFFECTIVE(n) > (v))
#endif
inline Vote(n, v) {
  d_step {
    IS_ASKED(n, v) && OBEYS(n, v) ->
    if
    :: OBJECTS(n, v) ->
       if
       :: stage[AT(owner[v], v)] == PREPARED -> Set(owner[v], v, EXPIRED)
       :: else
       fi;
       End(v);
       printf("n%d objects to change %d\n", n, v)
    :: else ->
       asked[v] = asked[v] & ~BIT(n);
       Set(n, v, PREPARED);
       printf("n%d agrees to change %d\n", n, v)
    fi
  }
}

/* Proposer::UseMembers: who is gone is not waited for. */
inline Miss(n, v) {
  d_step {
    IS_ASKED(n, v) && !TOGETHER(n, owner[v]) ->
    asked[v] = asked[v] & ~BIT(n);
    printf("n%d is not waited for\n", n)
  }
}

/* Proposer::BeginTrial, Holder::OnTrial: the last of the members tries it, or the master if it is alone. */
#define IS_CANARY(n, m) (TOGETHER(n, m) && ((m) != (n) || (!TOGETHER(n, PEER1) && !TOGETHER(n, PEER2))) && \
  !((m) < 2 && (n) != 2 && TOGETHER(n, 2)) && !((m) < 1 && (n) != 1 && TOGETHER(n, 1)))
inline Try(n, m, v) {
  d_step {
    UNDER_WAY(n, v) && step[v] == VOTES && asked[v] == 0 && IS_CANARY(n, m) && stage[AT(m, v)] == PREPARED ->
    step[v] = TRIAL;
    trial[m] = v;
    Settle(m);
    printf("n%d tries change %d\n", m, v)
  }
}

inline TrialOver(n) {
  d_step {
    trial[n] != 0 ->
    trial[n] = 0;
    printf("n%d ends its trial\n", n)
  }
}

/* Proposer::Advance, OnChecked; Holder::Decide */
#define TRIES(n, m, v) (trial[m] == (v) && TOGETHER(n, m))
#define IS_READY(n, v) (UNDER_WAY(n, v) && asked[v] == 0 && \
  (step[v] == VOTES || TRIES(n, 0, v) || TRIES(n, 1, v) || TRIES(n, 2, v)))
#ifdef M_DECIDE_LATE
#define MAY_DECIDE(n, v) true
#else
#define MAY_DECIDE(n, v) (stage[AT(n, v)] == PREPARED)
#endif
inline DecideOpen(n, v) {
  d_step {
    IS_READY(n, v) && stage[AT(n, v)] == PREPARED ->
    step[v] = DECIDED;
    stage[AT(n, v)] = OPEN;
    printf("n%d opens its change %d\n", n, v)
  }
}
inline DecideConfirmed(n, v) {
  d_step {
    IS_READY(n, v) && MAY_DECIDE(n, v) ->
    step[v] = DECIDED;
    Confirmation(n, v);
    Settle(n);
    printf("n%d makes its change %d for good\n", n, v)
  }
}

/* Proposer::Decide where it was given up meanwhile, Tick */
inline Abort(n, v) {
  d_step {
    UNDER_WAY(n, v) && stage[AT(n, v)] != PREPARED ->
    End(v);
    printf("n%d ends its change %d\n", n, v)
  }
}

/* Holder::OnOpen */
inline Open(n, v) {
  d_step {
    step[v] == DECIDED && OBEYS(n, v) && disk[AT(owner[v], v)] == OPEN && stage[AT(n, v)] == PREPARED ->
    Set(n, v, OPEN);
    Settle(n);
    printf("n%d opens change %d\n", n, v)
  }
}

/* Holder::Confirm: by the operator, at any node */
#ifdef M_NO_DEADLINE /* and nobody confirms */
#define CONFIRMABLE(n, v) false
#else
#ifdef M_CONFIRM_LATE
#define CONFIRMABLE(n, v) (stage[AT(n, v)] == EXPIRED || (stage[AT(n, v)] == OPEN && RUNS(n) == (v)))
#else
#ifdef M_CONFIRM_UNSEEN
#define CONFIRMABLE(n, v) (stage[AT(n, v)] == OPEN)
#else
#define CONFIRMABLE(n, v) (stage[AT(n, v)] == OPEN && RUNS(n) == (v))
#endif
#endif
#endif
inline Confirm(n, v) {
  d_step {
    up[n] && CONFIRMABLE(n, v) ->
    RULE(seen, stage[AT(n, v)] == EXPIRED || RUNS(n) == v);
    Confirmation(n, v);
    printf("the operator confirms change %d at n%d\n", v, n)
  }
}

/* Holder::Tick, RollBack, OnAbort */
#ifdef M_NO_DEADLINE
#define HAS_DEADLINE(s) ((s) == PREPARED)
#else
#define HAS_DEADLINE(s) IS_PENDING(s)
#endif
inline Expire(n, v) {
  d_step {
    up[n] && HAS_DEADLINE(stage[AT(n, v)]) ->
    Set(n, v, EXPIRED);
    Settle(n);
    printf("n%d gives change %d up\n", n, v)
  }
}

/* Holder::MapOf, OnMap */
#ifdef M_TRIAL_SENT
#define SENT(m, v) (trial[m] == v -> OPEN : stage[AT(m, v)])
#else
#define SENT(m, v) stage[AT(m, v)]
#endif
#ifdef M_TELL_IN_EFFECT
#define IS_SENT(m, v) (EFFECTIVE(m) == (v))
#else
#define IS_SENT(m, v) true
#endif
#define IS_NEWS(n, m, v) (IS_SENT(m, v) && RANK(SENT(m, v)) > RANK(stage[AT(n, v)]))
#define LACKS(n, v) (stage[AT(n, v)] == NONE)
#define WELL_TOLD(n, m, v) (stage[AT(n, v)] != OPEN || stage[AT(m, v)] <= OPEN)

inline TakeVersion(n, m, v) {
  if
  :: IS_NEWS(n, m, v) -> Set(n, v, SENT(m, v))
  :: else
  fi
}

/* with1, with2: whether the node takes what the map has of version 1, of version 2 */
inline Take(n, m, with1, with2) {
  d_step {
    TOGETHER(n, m) && ALL_DURABLE(m) && ((with1 && IS_NEWS(n, m, 1)) || (with2 && IS_NEWS(n, m, 2))) ->
    if
    :: with1 -> TakeVersion(n, m, 1)
    :: else
    fi;
    if
    :: with2 -> TakeVersion(n, m, 2)
    :: else
    fi;
    RULE(told, WELL_TOLD(n, m, 1) && WELL_TOLD(n, m, 2));
    ExpireOld(n, 1);
    ExpireOld(n, 2);
    Settle(n);
    printf("n%d hears from n%d, and knows %d %d\n", n, m, stage[AT(n, 1)], stage[AT(n, 2)])
  }
}

/* All versions that a node knows are taken at once. Of others the records come one by one, and then the map again. */
#ifdef M_PART_OF_MAP
#define TAKE(n, m) \
  :: Take(n, m, true, false) \
  :: Take(n, m, false, true)
#else
#define TAKE(n, m) \
  :: Take(n, m, true, true) \
  :: Take(n, m, !LACKS(n, 1), true) \
  :: Take(n, m, true, !LACKS(n, 2))
#endif

/* Holder::OnConfirmed: one version alone */
inline TakeConfirmation(n, m, v) {
  d_step {
    TOGETHER(n, m) && disk[AT(m, v)] == CONFIRMED && !LACKS(n, v) && RANK(CONFIRMED) > RANK(stage[AT(n, v)]) ->
    Set(n, v, CONFIRMED);
    Settle(n);
    printf("n%d hears from n%d that change %d is confirmed\n", n, m, v)
  }
}

/* The first of those that are together, if none of them leads. */
inline Elect(n) {
  d_step {
    up[n] && FOLLOWS(n) == 0 && !((n) > 0 && TOGETHER(n, 0)) && !((n) > 1 && TOGETHER(n, 1)) && terms < TERMS ->
    terms++;
    leads[n] = terms;
    ExpireAllOld();
    printf("n%d leads\n", n)
  }
}

inline Kill(n) {
  d_step {
    up[n] && harms < HARMS ->
    harms++;
    up[n] = false;
    trial[n] = 0;
    leads[n] = 0;
    stage[AT(n, 1)] = disk[AT(n, 1)];
    stage[AT(n, 2)] = disk[AT(n, 2)];
    LoseChange(n, 1);
    LoseChange(n, 2);
    printf("n%d is killed\n", n)
  }
}

/* Ledger::Ledger */
inline Judge(n, v) {
  if
  :: IS_PENDING(stage[AT(n, v)]) -> Set(n, v, EXPIRED)
  :: else
  fi
}

inline Boot(n) {
  d_step {
    !up[n] ->
    up[n] = true;
#ifndef M_RESTART_KEEPS_OPEN
    Judge(n, 1);
    Judge(n, 2);
#endif
    RULE(restart, RUNS(n) == 0 || stage[AT(n, RUNS(n))] == CONFIRMED);
    printf("n%d boots\n", n)
  }
}

#define CHANGE(n, v) \
  :: Propose(n, v) \
  :: Vote(n, v) \
  :: Miss(n, v) \
  :: Try(n, n, v) \
  :: Try(n, PEER1, v) \
  :: Try(n, PEER2, v) \
  :: DecideOpen(n, v) \
  :: DecideConfirmed(n, v) \
  :: Abort(n, v) \
  :: Open(n, v) \
  :: Confirm(n, v) \
  :: Expire(n, v) \
  :: TakeConfirmation(n, PEER1, v) \
  :: TakeConfirmation(n, PEER2, v)

proctype Node(byte me) {
end:
  do
  CHANGE(me, 1)
  CHANGE(me, 2)
  TAKE(me, PEER1)
  TAKE(me, PEER2)
  :: TrialOver(me)
  :: Save(me)
  :: Elect(me)
  :: Kill(me)
  :: Boot(me)
  od
}

/* What must hold in every state: a rule that is broken makes a step possible. */
#define BOTH_OPEN(n) (up[n] && stage[AT(n, 1)] == OPEN && stage[AT(n, 2)] == OPEN)
#define UNDECIDED(n, v) (up[n] && IN_EFFECT(stage[AT(n, v)]) && step[v] != DECIDED)
#define NOT_STORED(n) (up[n] && RUNNABLE(n) != 0 && !IN_EFFECT(disk[AT(n, RUNNABLE(n))]))
active proctype Rules() {
end:
  do
  :: harms == 0 && (BOTH_OPEN(0) || BOTH_OPEN(1) || BOTH_OPEN(2)) -> BREAK(two_open)
  :: UNDECIDED(0, 1) || UNDECIDED(1, 1) || UNDECIDED(2, 1) -> BREAK(decided)
  :: UNDECIDED(0, 2) || UNDECIDED(1, 2) || UNDECIDED(2, 2) -> BREAK(decided)
  :: NOT_STORED(0) || NOT_STORED(1) || NOT_STORED(2) -> BREAK(durable)
  od
}

#define IS_EQUAL(n) (stage[AT(n, 1)] == stage[AT(0, 1)] && stage[AT(n, 2)] == stage[AT(0, 2)])
#define CUT(n) d_step { harms < HARMS && away == NODES -> harms++; away = n; printf("n%d is cut off\n", n) }

init {
  atomic {
    leads[0] = terms;
    run Node(0);
    run Node(1);
    run Node(2)
  }
  do
  :: CUT(0)
  :: CUT(1)
  :: CUT(2)
  :: d_step {
       away != NODES ->
       away = NODES;
       Yield(0);
       Yield(1);
       Yield(2);
       ExpireAllOld();
       printf("all are together\n")
     }
  :: timeout -> /* nothing else can happen: all are up and together, and every deadline has passed */
     d_step {
       RULE(equal, IS_EQUAL(1) && IS_EQUAL(2));
       RULE(unconfirmed, EFFECTIVE(0) == 0 || stage[AT(0, EFFECTIVE(0))] == CONFIRMED);
       RULE(kept, (!in_time[1] || EFFECTIVE(0) >= 1) && (!in_time[2] || EFFECTIVE(0) == 2))
     }
     break
  od
}
