// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The man in the middle, written out in full: he calls one honest end, answers the other, knows the protocol, and does all that
 * he can so that both people see the same number. Where he is measured, only the low bits of the number are compared, so that
 * he wins often enough to be counted; 10^9 is a multiple of 2^9, so every one of up to 9 bits is worth exactly one half. The
 * honest ends are the product's channels. Protections are taken out only of an end that this file builds from noise.c.
 */
#include <math.h>
#include <time.h>

#include "channel-rig.h"

static uint64_t seed = 20261123;

static void fill(void *ret, size_t len)
{
	uint8_t *p = ret;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		p[i] = (uint8_t)(z >> 56);
	}
}

static void rig_random(void *data, void *ret, size_t len)
{
	fill(ret, len);
}

static bool anybody(void *data, const uint8_t *key)
{
	return true;
}

/* ---- one half of him: toward one honest end ---- */

struct half {
	bool initiator;
	uint8_t sid[CHANNEL_SID_LEN];
	struct wire_init offer;
	struct noise_handshake hs;
	uint8_t nonce[32], peer_nonce[32], s[32];
};

static void half_begin(struct half *h)
{
	uint8_t prologue[WIRE_PROLOGUE_MAX], e[32];
	size_t len = wire_prologue(prologue, h->sid, &h->offer);

	fill(e, sizeof(e));
	fill(h->nonce, sizeof(h->nonce));
	memcpy(h->s, puppet_static, sizeof(h->s));
	noise_handshake_init(&h->hs, h->initiator, prologue, len, h->s, NULL, e);
}

static void half_read(struct half *h, const uint8_t *msg, size_t len, uint8_t ret[64])
{
	struct noise_handshake next;
	size_t got;

	assert_int_equal(noise_handshake_read(&h->hs, &next, msg, len, ret, 64, &got), 0);
	h->hs = next;
}

static void half_write(struct half *h, enum wire_type type, const uint8_t payload[64],
		       struct blob *ret)
{
	size_t len;

	wire_header_put(ret->bytes, type, h->sid);
	assert_int_equal(noise_handshake_write(&h->hs, payload, 64, ret->bytes + WIRE_HEADER_LEN,
					       CHANNEL_BLOB_MAX - WIRE_HEADER_LEN, &len),
			 0);
	ret->len = WIRE_HEADER_LEN + len;
}

/* Toward a caller: takes his INIT; half_resp() then answers it. */
static void half_ring(struct half *h, const struct blob *init)
{
	struct wire_header head;
	uint8_t c[64];

	memset(h, 0, sizeof(*h));
	assert_int_equal(wire_header_get(init->bytes, init->len, &head), CHANNEL_OK);
	assert_true(wire_init_get(init->bytes, init->len, &h->offer));
	memcpy(h->sid, head.sid, sizeof(h->sid));
	half_begin(h);
	half_read(h, h->offer.noise, WIRE_NOISE1_LEN, c);
}

static void half_resp(struct half *h, struct blob *ret)
{
	struct wire_resp resp = puppet_resp_default();
	uint8_t payload[64];

	memcpy(resp.nonce, h->nonce, sizeof(resp.nonce));
	wire_resp_put(payload, &resp);
	half_write(h, WIRE_RESP, payload, ret);
}

static void half_take_fin(struct half *h, const struct blob *fin)
{
	uint8_t payload[64];

	half_read(h, fin->bytes + WIRE_HEADER_LEN, fin->len - WIRE_HEADER_LEN, payload);
	memcpy(h->peer_nonce, payload, sizeof(h->peer_nonce));
}

/* Toward somebody who is called. @commitment: NULL for the honest one. */
static void half_call(struct half *h, const uint8_t *sid, const uint8_t *commitment,
		      struct blob *ret)
{
	uint8_t own[32];
	size_t head, len;

	memset(h, 0, sizeof(*h));
	h->initiator = true;
	if (sid)
		memcpy(h->sid, sid, sizeof(h->sid));
	else
		fill(h->sid, sizeof(h->sid));
	h->offer = (struct wire_init){
		.n_versions = 1,
		.versions = { 1 },
		.media = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
	};
	half_begin(h);
	wire_commitment(h->sid, h->hs.s_pub, h->nonce, own);
	wire_header_put(ret->bytes, WIRE_INIT, h->sid);
	head = wire_init_put(ret->bytes, &h->offer);
	assert_int_equal(noise_handshake_write(&h->hs, commitment ?: own, 32, ret->bytes + head,
					       CHANNEL_BLOB_MAX - head, &len),
			 0);
	ret->len = head + len;
}

static void half_take_resp(struct half *h, const struct blob *resp)
{
	uint8_t payload[64];

	half_read(h, resp->bytes + WIRE_HEADER_LEN, resp->len - WIRE_HEADER_LEN, payload);
	memcpy(h->peer_nonce, payload, sizeof(h->peer_nonce));
}

static void half_fin(struct half *h, struct blob *ret)
{
	uint8_t payload[64];

	fill(payload + 32, 32);
	memcpy(payload, h->nonce, 32);
	half_write(h, WIRE_FIN, payload, ret);
}

/* The number that the honest end of this half shows, or will show, with these values of his. */
static uint32_t half_sas(const struct half *h, const uint8_t *nonce, const uint8_t *s_pub)
{
	uint8_t prologue[WIRE_PROLOGUE_MAX];
	size_t len = wire_prologue(prologue, h->sid, &h->offer);
	const struct wire_sas_input in = {
		.prologue = prologue,
		.prologue_len = len,
		.r_i = h->initiator ? nonce : h->peer_nonce,
		.r_r = h->initiator ? h->peer_nonce : nonce,
		.s_i = h->initiator ? s_pub : h->hs.rs,
		.s_r = h->initiator ? h->hs.rs : s_pub,
		.e_i = h->initiator ? h->hs.e_pub : h->hs.re,
		.e_r = h->initiator ? h->hs.re : h->hs.e_pub,
	};

	return wire_sas(&in);
}

/* ---- the honest ends ---- */

static struct channel *honest_call(struct blob *ret_init)
{
	const struct channel_params p = {
		.static_key = rig_static_a,
		.offered = { CHANNEL_KINDS, CHANNEL_MICROPHONE },
		.peer_allowed = anybody,
		.random = rig_random,
	};
	struct channel *c;

	assert_int_equal(channel_new_initiator(&c, &p, SEC), 0);
	rig_must_pop(c, WIRE_INIT, ret_init);
	return c;
}

static struct channel *honest_answer(const struct blob *init, struct blob *ret_resp)
{
	const struct channel_params p = {
		.static_key = rig_static_b,
		.peer_allowed = anybody,
		.random = rig_random,
	};
	struct channel *c;

	assert_int_equal(channel_new_responder(&c, &p, init->bytes, init->len, SEC), 0);
	assert_int_equal(channel_accept(c, rig_all, SEC), 0);
	rig_must_pop(c, WIRE_RESP, ret_resp);
	return c;
}

static enum channel_result give(struct channel *c, const struct blob *b)
{
	return channel_receive(c, b->bytes, b->len, SEC);
}

static uint32_t shown(const struct channel *c)
{
	char text[CHANNEL_SAS_LEN];
	uint32_t n = 0;

	assert_true(channel_sas(c, text));
	for (const char *p = text; *p; p++)
		if (*p != ' ')
			n = 10 * n + (uint32_t)(*p - '0');
	return n;
}

/* A search that goes on far beyond its luck is for something that does not enter the number. */
static void one_more(unsigned int *tries)
{
	assert_true(++*tries < 1u << 16);
}

static bool same(uint32_t a, uint32_t b, unsigned int bits)
{
	return ((a ^ b) & ((1u << bits) - 1)) == 0;
}

/* ---- measuring ---- */

static void measured(const char *what, unsigned int bits, unsigned int wins, unsigned int n,
		     double p)
{
	double expected = n * p, error = sqrt(n * p * (1 - p));

	printf("# %s: number of %u bits: %u of %u won; %.1f were due, error %.1f\n", what, bits,
	       wins, n, expected, error);
	assert_true(fabs(wins - expected) <= 4.5 * error + 1);
}

#define TRIALS 2000
static const unsigned int widths[] = { 3, 5, 7 };
#define WIDTHS (sizeof(widths) / sizeof(widths[0]))

/* Where the man in the middle stands between @a, who called, and @b, who accepted. */
struct between {
	struct channel *a, *b;
	struct half to_a, to_b;
	struct blob to_b_init;
};

static void between_begin(struct between *m)
{
	struct blob init, resp;

	m->a = honest_call(&init);
	half_ring(&m->to_a, &init);
	half_call(&m->to_b, NULL, NULL, &m->to_b_init);
	m->b = honest_answer(&m->to_b_init, &resp);
	half_take_resp(&m->to_b, &resp);
}

static void finish_with_a(struct between *m)
{
	struct blob b;

	half_resp(&m->to_a, &b);
	assert_int_equal(give(m->a, &b), CHANNEL_OK);
	rig_must_pop(m->a, WIRE_FIN, &b);
	half_take_fin(&m->to_a, &b);
	assert_int_equal(shown(m->a), half_sas(&m->to_a, m->to_a.nonce, m->to_a.hs.s_pub));
}

static enum channel_result finish_with_b(struct between *m)
{
	struct blob b;

	half_fin(&m->to_b, &b);
	return give(m->b, &b);
}

static void between_end(struct between *m)
{
	channel_free(m->a);
	channel_free(m->b);
}

/* ---- what he can do against the product ---- */

static void relaying_wins_by_chance_only(void **state)
{
	unsigned int wins[WIDTHS] = {};

	for (unsigned int i = 0; i < TRIALS; i++) {
		struct between m;

		between_begin(&m);
		/* In either order; neither helps. */
		if (i % 2)
			finish_with_a(&m);
		assert_int_equal(finish_with_b(&m), CHANNEL_OK);
		if (i % 2 == 0)
			finish_with_a(&m);
		for (size_t w = 0; w < WIDTHS; w++)
			wins[w] += same(shown(m.a), shown(m.b), widths[w]);
		between_end(&m);
	}
	for (size_t w = 0; w < WIDTHS; w++)
		measured("relaying", widths[w], wins[w], TRIALS, 1.0 / (1 << widths[w]));
}

/*
 * B has answered, so that B's number is known. He looks for the RESP to A that would give the same number, for the one value of
 * A's secret that he guesses: all he has of it is the commitment.
 */
static void grinding_the_answer_to_a_wins_by_chance_only(void **state)
{
	static const uint8_t guess[32] = { 0x47 };
	const unsigned int bits = 5;
	unsigned int wins = 0, n = TRIALS / 2;

	for (unsigned int i = 0; i < n; i++) {
		struct between m;
		uint32_t number;
		unsigned int tries = 0;

		between_begin(&m);
		number = half_sas(&m.to_b, m.to_b.nonce, m.to_b.hs.s_pub);
		memcpy(m.to_a.peer_nonce, guess, sizeof(guess));
		do {
			one_more(&tries);
			fill(m.to_a.nonce, sizeof(m.to_a.nonce));
		} while (!same(number, half_sas(&m.to_a, m.to_a.nonce, m.to_a.hs.s_pub), bits));
		finish_with_a(&m);
		assert_int_equal(finish_with_b(&m), CHANNEL_OK);
		wins += same(shown(m.a), shown(m.b), bits);
		between_end(&m);
	}
	measured("grinding RESP", bits, wins, n, 1.0 / (1 << bits));
}

/* Both numbers are known; he looks for a secret, or for a key, whose FIN makes B's number that of A. */
static unsigned int grind_fin(bool keys, unsigned int bits, unsigned int n)
{
	unsigned int shows = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct between m;
		char text[CHANNEL_SAS_LEN];
		struct half *h = &m.to_b;
		unsigned int tries = 0;

		between_begin(&m);
		finish_with_a(&m);
		while (!same(shown(m.a), half_sas(h, h->nonce, h->hs.s_pub), bits)) {
			one_more(&tries);
			fill(keys ? h->hs.s : h->nonce, 32);
			if (keys)
				crypto_x25519_public(h->hs.s, h->hs.s_pub);
		}
		finish_with_b(&m);
		shows += channel_sas(m.b, text);
		between_end(&m);
	}
	return shows;
}

static void grinding_the_secret_in_fin_shows_b_no_number(void **state)
{
	const unsigned int bits = 7, n = 100;
	unsigned int shows = grind_fin(false, bits, n);

	/* Only where there was nothing to look for. */
	measured("grinding FIN's secret", bits, shows, n, 1.0 / (1 << bits));
	assert_true(shows < n / 10);
}

static void grinding_the_key_in_fin_shows_b_no_number(void **state)
{
	const unsigned int bits = 7, n = 20;
	unsigned int shows = grind_fin(true, bits, n);

	measured("grinding FIN's key", bits, shows, n, 1.0 / (1 << bits));
	assert_true(shows < n / 4);
}

/* The rest of FIN does not enter the number; grinding it would be free. */
static void the_rest_of_fin_does_not_enter_the_number(void **state)
{
	for (unsigned int i = 0; i < 20; i++) {
		struct between m;

		between_begin(&m);
		/* half_fin() draws another m_I each time. */
		assert_int_equal(finish_with_b(&m), CHANNEL_OK);
		assert_int_equal(shown(m.b), half_sas(&m.to_b, m.to_b.nonce, m.to_b.hs.s_pub));
		between_end(&m);
	}
}

static void an_aborted_run_gives_no_second_number(void **state)
{
	struct between m;
	struct half again;
	struct blob b;
	uint32_t number;

	between_begin(&m);
	/* He does not like B's number and calls again, as the same session: no second RESP. */
	half_call(&again, m.to_b.sid, NULL, &b);
	assert_int_equal(give(m.b, &b), CHANNEL_CONFLICT);
	rig_nothing_from(m.b);
	/* He does not like A's number and answers again: no second FIN, and the number stays. */
	finish_with_a(&m);
	number = shown(m.a);
	m.to_a.hs.next = 1;
	fill(m.to_a.nonce, 32);
	half_resp(&m.to_a, &b);
	assert_int_equal(give(m.a, &b), CHANNEL_CONFLICT);
	rig_nothing_from(m.a);
	assert_int_equal(shown(m.a), number);
	/* A second FIN to B. */
	assert_int_equal(finish_with_b(&m), CHANNEL_OK);
	number = shown(m.b);
	m.to_b.hs.next = 2;
	half_fin(&m.to_b, &b);
	assert_int_equal(give(m.b, &b), CHANNEL_CONFLICT);
	assert_int_equal(shown(m.b), number);
	/* What is left to him is to end it; then nothing is shown at all. */
	channel_tick(m.a, SEC + 31 * SEC);
	assert_int_equal(channel_end_reason(m.a), CHANNEL_END_NOT_CONFIRMED);
	between_end(&m);
}

/* He keeps what K approvals of each end gave him, all at once, and uses the best of the K * K pairs. */
static void aborting_wins_no_more_than_the_pairs_of_approvals_allow(void **state)
{
	enum {
		K = 3
	};
	const unsigned int bits = 7, n = TRIALS / K;
	double p = 1.0 / (1 << bits), bound = K * K * p;
	unsigned int wins = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct between m[K];
		bool won = false;

		for (unsigned int k = 0; k < K; k++) {
			between_begin(&m[k]);
			finish_with_a(&m[k]);
			assert_int_equal(finish_with_b(&m[k]), CHANNEL_OK);
		}
		for (unsigned int k = 0; k < K * K; k++)
			won |= same(shown(m[k / K].a), shown(m[k % K].b), bits);
		for (unsigned int k = 0; k < K; k++)
			between_end(&m[k]);
		wins += won;
	}
	/* The bound counts two wins at once as two. */
	printf("# aborting, %u approvals of each end: number of %u bits: %u of %u won; bound %.1f\n",
	       K, bits, wins, n, n * bound);
	assert_true(wins <= n * bound + 4.5 * sqrt(n * bound) + 1);
	assert_true(wins >= n * K * p - 4.5 * sqrt(n * K * p) - 1);
}

static void splicing_shows_b_no_number(void **state)
{
	char text[CHANNEL_SAS_LEN];
	struct half to_a, to_b;
	struct channel *a, *b;
	struct wire_init offer;
	struct blob init, blob, resp, fin;

	/* A's commitment in his own INIT; A's secret, once he has it, in his own FIN. */
	a = honest_call(&init);
	assert_true(wire_init_get(init.bytes, init.len, &offer));
	half_ring(&to_a, &init);
	half_call(&to_b, to_a.sid, offer.noise + 32, &blob);
	b = honest_answer(&blob, &resp);
	half_take_resp(&to_b, &resp);
	half_resp(&to_a, &blob);
	assert_int_equal(give(a, &blob), CHANNEL_OK);
	rig_must_pop(a, WIRE_FIN, &fin);
	half_take_fin(&to_a, &fin);
	memcpy(to_b.nonce, to_a.peer_nonce, sizeof(to_b.nonce));
	half_fin(&to_b, &blob);
	/* Nor can A's own FIN be used. */
	assert_int_equal(give(b, &fin), CHANNEL_FORGED);
	assert_int_equal(give(b, &blob), CHANNEL_ENDED);
	assert_int_equal(channel_end_reason(b), CHANNEL_END_COMMITMENT);
	assert_false(channel_sas(b, text));
	channel_free(a);
	channel_free(b);

	/* Honest INIT and RESP, his FIN: he has no key of that handshake. */
	a = honest_call(&init);
	b = honest_answer(&init, &resp);
	assert_int_equal(give(a, &resp), CHANNEL_OK);
	rig_must_pop(a, WIRE_FIN, &fin);
	assert_int_equal(give(b, &blob), CHANNEL_FOREIGN);
	memcpy(blob.bytes + 2, init.bytes + 2, CHANNEL_SID_LEN);
	assert_int_equal(give(b, &blob), CHANNEL_FORGED);
	/* Left alone, the two agree. */
	assert_int_equal(give(b, &fin), CHANNEL_OK);
	assert_int_equal(shown(a), shown(b));
	channel_free(a);
	channel_free(b);
}

/* ---- an end without one of the protections, and he wins ---- */

enum without {
	WITHOUT_COMMITMENT,
	WITHOUT_KEY_IN_COMMITMENT,
};

/* It takes FIN and looks at less of it than the product does. Its number, or 10^9 where it refuses. */
static uint32_t careless_answer(enum without what, const struct blob *fin, struct half *h,
				const uint8_t *committed_secret)
{
	half_take_fin(h, fin);
	if (what == WITHOUT_KEY_IN_COMMITMENT &&
	    memcmp(h->peer_nonce, committed_secret, sizeof(h->peer_nonce)) != 0)
		return 1000000000;
	return half_sas(h, h->nonce, h->hs.s_pub);
}

static unsigned int against_careless(enum without what, unsigned int bits, unsigned int n,
				     uint64_t *ret_tries)
{
	unsigned int wins = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct half to_a, to_b, b;
		struct channel *a;
		struct blob blob;
		uint8_t secret[32];
		uint32_t number;

		a = honest_call(&blob);
		half_ring(&to_a, &blob);
		half_call(&to_b, NULL, NULL, &blob);
		memcpy(secret, to_b.nonce, sizeof(secret));
		half_ring(&b, &blob);
		half_resp(&b, &blob);
		half_take_resp(&to_b, &blob);
		half_resp(&to_a, &blob);
		assert_int_equal(give(a, &blob), CHANNEL_OK);
		rig_must_pop(a, WIRE_FIN, &blob);
		half_take_fin(&to_a, &blob);
		while (!same(shown(a), half_sas(&to_b, to_b.nonce, to_b.hs.s_pub), bits)) {
			++*ret_tries;
			if (what == WITHOUT_COMMITMENT) {
				fill(to_b.nonce, sizeof(to_b.nonce));
			} else {
				fill(to_b.hs.s, 32);
				crypto_x25519_public(to_b.hs.s, to_b.hs.s_pub);
			}
		}
		half_fin(&to_b, &blob);
		number = careless_answer(what, &blob, &b, secret);
		wins += number < 1000000000 && same(shown(a), number, bits);
		channel_free(a);
	}
	return wins;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void without_the_commitment_he_wins(void **state)
{
	double begun = seconds();
	uint64_t tries = 0;

	assert_int_equal(against_careless(WITHOUT_COMMITMENT, 9, 40, &tries), 40);
	assert_true(tries > 0);
	printf("# without the commitment: number of 9 bits: 40 of 40 won, %.0f tries each; 10^9 tries on one "
	       "core of this machine, in this slow build: %.0f minutes\n",
	       (double)tries / 40, (seconds() - begun) / (double)tries * 1e9 / 60);
}

static void without_the_key_in_the_commitment_he_wins(void **state)
{
	uint64_t tries = 0;

	assert_int_equal(against_careless(WITHOUT_KEY_IN_COMMITMENT, 6, 20, &tries), 20);
	printf("# without the key in the commitment: number of 6 bits: 20 of 20 won, %.0f keys each\n",
	       (double)tries / 20);
}

/* An end that answers again and again for one approval: he breaks off until the numbers agree, and only then sends FIN. */
static void with_many_runs_for_one_approval_he_wins(void **state)
{
	const unsigned int bits = 5, runs = 8 << bits, n = 20;
	unsigned int wins = 0, total = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct between m;
		bool won = false;

		between_begin(&m);
		finish_with_a(&m);
		for (unsigned int run = 0; run < runs && !won; run++) {
			struct blob init, resp, fin;

			total++;
			channel_free(m.b);
			half_call(&m.to_b, NULL, NULL, &init);
			m.b = honest_answer(&init, &resp);
			half_take_resp(&m.to_b, &resp);
			if (!same(shown(m.a), half_sas(&m.to_b, m.to_b.nonce, m.to_b.hs.s_pub),
				  bits))
				continue;
			half_fin(&m.to_b, &fin);
			assert_int_equal(give(m.b, &fin), CHANNEL_OK);
			won = same(shown(m.a), shown(m.b), bits);
		}
		wins += won;
		between_end(&m);
	}
	printf("# with many runs for one approval: number of %u bits: %u of %u won, %.0f runs each; one run "
	       "would have won %.1f\n",
	       bits, wins, n, (double)total / n, n / (double)(1 << bits));
	assert_true(wins >= n - 1);
}

static void the_bound_of_the_full_number(void **state)
{
	const double p = 1e-9;

	/* The number is uniform on 10^9 values, up to the remainder of 2^64 by it. */
	printf("# full number: he wins with %.1g for each pair of approvals; with one pair a second, day and "
	       "night, half a chance after %.0f years\n",
	       p, log(0.5) / log1p(-p) / 3600 / 24 / 365.25);
	assert_true(1e9 / 18446744073709551616.0 < 1e-9 * 0.1);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, relaying_wins_by_chance_only);
	UNIT(&u, grinding_the_answer_to_a_wins_by_chance_only);
	UNIT(&u, grinding_the_secret_in_fin_shows_b_no_number);
	UNIT(&u, grinding_the_key_in_fin_shows_b_no_number);
	UNIT(&u, the_rest_of_fin_does_not_enter_the_number);
	UNIT(&u, an_aborted_run_gives_no_second_number);
	UNIT(&u, aborting_wins_no_more_than_the_pairs_of_approvals_allow);
	UNIT(&u, splicing_shows_b_no_number);
	UNIT(&u, without_the_commitment_he_wins);
	UNIT(&u, without_the_key_in_the_commitment_he_wins);
	UNIT(&u, with_many_runs_for_one_approval_he_wins);
	UNIT(&u, the_bound_of_the_full_number);
	return unit_run(&u);
}
