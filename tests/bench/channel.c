// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the call channel and sealed media cost, as ratios to the bare operations of the same libraries in the same process. TAP;
 * a ratio above its limit fails. Called by `make bench-channel` and by the unit tests.
 *
 * Both sides of a ratio are measured in turns, in processor time, and the fastest turn of each counts: a busy machine makes a turn
 * slower, never faster. Where a ratio is above its limit, more turns follow before that is believed.
 *
 * With arguments, "channel WHAT ours|bare N": nothing but N times one operation, for a program that counts instructions.
 */
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "channel.h"
#include "sframe.h"

#define ROUNDS	      51
#define TURNS_MAX     40 /* times ROUNDS */
#define DATA_AD	      30
#define DATA_PLAIN    64
#define SESSIONS      1000
#define SESSION_MAX   16384
#define FRAME_LARGEST (4u << 20)

#define HANDSHAKE_LIMIT 1.25
#define HEARTBEAT_LIMIT 2.0
#define FRAME_LIMIT	1.05
#define LINEAR_LIMIT	1.5

static int results, bad;

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds for one of @n runs. */
static double once(void (*f)(void *data), void *data, unsigned int n)
{
	double begun = cpu_now();

	for (unsigned int i = 0; i < n; i++)
		f(data);
	return (cpu_now() - begun) / n;
}

static void judge(const char *what, double ratio, double ours, double limit)
{
	results++;
	bad += ratio > limit;
	printf("%s %d - %s: %.3f times the bare operations (%.2f us), at most %.2f\n",
	       ratio > limit ? "not ok" : "ok", results, what, ratio, ours * 1e6, limit);
	fflush(stdout);
}

/* @begin: before each turn, outside of what is measured; may be NULL. */
static void compare(const char *what, void (*begin)(void *), void (*ours)(void *),
		    void (*bare)(void *), void *data, unsigned int n, double limit)
{
	double best_ours = 1e9, best_bare = 1e9, t;

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		if (begin)
			begin(data);
		for (int i = 0; i < ROUNDS; i++) {
			t = once(ours, data, n);
			best_ours = t < best_ours ? t : best_ours;
			t = once(bare, data, n);
			best_bare = t < best_bare ? t : best_bare;
		}
		if (best_ours / best_bare <= limit)
			break;
	}
	judge(what, best_ours / best_bare, best_ours, limit);
}

/* ---- a whole handshake ---- */

struct pair {
	uint8_t key[2][CHANNEL_KEY_LEN], public[2][CHANNEL_KEY_LEN];
	struct channel *end[2];
	uint64_t now;
};

static bool allow(void *data, const uint8_t key[CHANNEL_KEY_LEN])
{
	return true;
}

static struct channel_params params_of(const struct pair *p, int role)
{
	return (struct channel_params){
		.static_key = p->key[role],
		.static_public = p->public[role],
		.offered = { CHANNEL_KINDS, CHANNEL_KINDS },
		.gate = true,
		.peer_allowed = allow,
	};
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	printf("Bail out! %s\n", what);
	exit(1);
}

/* Carries everything that either end has to say. */
static void carry(struct pair *p)
{
	uint8_t blob[CHANNEL_BLOB_MAX];
	bool moved = true;
	size_t len;

	while (moved) {
		moved = false;
		for (int from = 0; from < 2; from++)
			while (channel_poll_output(p->end[from], blob, &len)) {
				moved = true;
				channel_receive(p->end[!from], blob, len, p->now);
			}
	}
}

static void pair_open(struct pair *p)
{
	static const uint16_t accepted[2] = { CHANNEL_KINDS, CHANNEL_KINDS };
	struct channel_params i = params_of(p, CHANNEL_INITIATOR);
	struct channel_params r = params_of(p, CHANNEL_RESPONDER);
	uint8_t init[CHANNEL_BLOB_MAX];
	size_t len;

	must(channel_new_initiator(&p->end[0], &i, p->now) == 0, "no initiator");
	must(channel_poll_output(p->end[0], init, &len), "no INIT");
	must(channel_new_responder(&p->end[1], &r, init, len, p->now) == 0, "no responder");
	must(channel_accept(p->end[1], accepted, p->now) == 0, "no RESP");
	carry(p);
	must(channel_confirmed(p->end[0]) && channel_confirmed(p->end[1]), "no call");
}

static void pair_close(struct pair *p)
{
	p->end[0] = channel_free(p->end[0]);
	p->end[1] = channel_free(p->end[1]);
}

static void handshake_ours(void *data)
{
	pair_open(data);
	pair_close(data);
}

/* Each side makes one ephemeral key and three secrets. */
static void handshake_bare(void *data)
{
	struct pair *p = data;
	uint8_t out[32];

	for (int side = 0; side < 2; side++) {
		crypto_scalarmult_curve25519_base(out, p->key[side]);
		for (int i = 0; i < 3; i++)
			must(crypto_scalarmult_curve25519(out, p->key[side], p->public[!side]) == 0,
			     "X25519");
	}
}

/* ---- heartbeats ---- */

/* A call of its own for each turn: many would take one beyond its twelve hours. */
static void heartbeat_begin(void *data)
{
	struct pair *p = data;

	must(!p->end[0] || channel_confirmed(p->end[0]), "the call ended");
	pair_close(p);
	pair_open(p);
}

/* Both ends send one and take one. */
static void heartbeat_ours(void *data)
{
	struct pair *p = data;

	p->now += 3 * CHANNEL_NSEC_PER_SEC;
	channel_tick(p->end[0], p->now);
	channel_tick(p->end[1], p->now);
	carry(p);
}

static void heartbeat_bare(void *data)
{
	static uint8_t ad[DATA_AD], plain[DATA_PLAIN], nonce[12], out[DATA_PLAIN + 16];
	struct pair *p = data;

	for (int side = 0; side < 2; side++) {
		nonce[4]++;
		crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, sizeof(plain), ad,
							  sizeof(ad), NULL, nonce, p->key[side]);
		must(crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, out, sizeof(out),
							       ad, sizeof(ad), nonce,
							       p->key[side]) == 0,
		     "the bare cipher");
	}
}

/* ---- frames ---- */

/* The bare ciphers write where a frame has its ciphertext, behind a header: the processor minds where bytes lie. */
#define FRAME_HEAD 3

struct frame {
	size_t len;
	uint8_t key[32], nonce[12], ad[5];
	uint8_t *plain, *out;
	struct sframe_sender sender;
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *kept;
};

static void frame_ours(void *data)
{
	struct frame *f = data;
	size_t len;

	must(sframe_seal(&f->sender, NULL, 0, f->plain, f->len, f->out, &len) == 0, "sframe_seal");
}

static void frame_sodium(void *data)
{
	struct frame *f = data;

	f->nonce[0]++;
	crypto_aead_aes256gcm_encrypt(f->out + FRAME_HEAD, NULL, f->plain, f->len, f->ad,
				      sizeof(f->ad), NULL, f->nonce, f->key);
}

static void openssl_seal(struct frame *f, EVP_CIPHER_CTX *x, const uint8_t *key)
{
	int n;

	f->nonce[0]++;
	must(EVP_EncryptInit_ex2(x, key ? f->cipher : NULL, key, f->nonce, NULL) == 1 &&
		     EVP_EncryptUpdate(x, NULL, &n, f->ad, sizeof(f->ad)) == 1 &&
		     EVP_EncryptUpdate(x, f->out + FRAME_HEAD, &n, f->plain, (int)f->len) == 1 &&
		     EVP_EncryptFinal_ex(x, f->out + FRAME_HEAD + f->len, &n) == 1 &&
		     EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, 16,
					 f->out + FRAME_HEAD + f->len) == 1,
	     "OpenSSL");
}

static void frame_openssl(void *data)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	struct frame *f = data;

	must(x, "no memory");
	openssl_seal(f, x, f->key);
	EVP_CIPHER_CTX_free(x);
}

/* With a context that keeps its key, which Callgate does not allow itself: it would lie in memory that is not locked. */
static void frame_openssl_kept(void *data)
{
	struct frame *f = data;

	openssl_seal(f, f->kept, NULL);
}

static void frame_begin(struct frame *f)
{
	must(sframe_sender_init(&f->sender, 1, f->key, sizeof(f->key)) == 0, "no AES-256-GCM");
	f->plain = calloc(1, FRAME_LARGEST);
	f->out = calloc(1, FRAME_LARGEST + SFRAME_OVERHEAD);
	f->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	must(f->plain && f->out && f->cipher, "no memory");
}

/* Which library seals a frame as long as that. */
static bool seals_with_sodium(const struct frame *f)
{
	return f->sender.aead->backend == CRYPTO_SODIUM ||
	       (f->sender.aead->backend == CRYPTO_BY_LENGTH && f->len < CRYPTO_LONG);
}

static void frames(void)
{
	static const size_t lengths[] = { 1200,	 2047,	2048,	  4096,
					  16384, 65536, 1u << 20, FRAME_LARGEST };
	static struct frame f;
	char name[64];

	frame_begin(&f);
	f.kept = EVP_CIPHER_CTX_new();
	must(f.kept, "no memory");
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		bool sodium;
		unsigned int n = (unsigned int)(2000000 / lengths[i]) + 1;

		f.len = lengths[i];
		sodium = seals_with_sodium(&f);
		must(sframe_sender_init(&f.sender, 1, f.key, sizeof(f.key)) == 0, "no AES-256-GCM");
		snprintf(name, sizeof(name), "sealing %zu bytes with %s", f.len,
			 sodium ? "libsodium" : "OpenSSL");
		compare(name, NULL, frame_ours, sodium ? frame_sodium : frame_openssl, &f, n,
			FRAME_LIMIT);
		openssl_seal(&f, f.kept, f.key);
		if (crypto_aead_from(CRYPTO_AES_256_GCM, CRYPTO_SODIUM))
			printf("# %zu bytes: libsodium %.2f us\n", f.len,
			       once(frame_sodium, &f, n) * 1e6);
		printf("# %zu bytes: OpenSSL %.2f us, with a kept key %.2f us\n", f.len,
		       once(frame_openssl, &f, n) * 1e6, once(frame_openssl_kept, &f, n) * 1e6);
	}
	EVP_CIPHER_CTX_free(f.kept);
	EVP_CIPHER_free(f.cipher);
	free(f.plain);
	free(f.out);
}

/* ---- many at once ---- */

static long resident_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *in = fopen("/proc/self/status", "re");

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (in)
		fclose(in);
	return kib;
}

static void open_all(struct pair *pairs, unsigned int n, const struct pair *keys)
{
	for (unsigned int i = 0; i < n; i++) {
		pairs[i] = *keys;
		pair_open(&pairs[i]);
	}
}

static void close_all(struct pair *pairs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		pair_close(&pairs[i]);
}

/* The time of one heartbeat each way, both ends of each, the fastest of some rounds. */
static double beat_all(struct pair *pairs, unsigned int n)
{
	double best = 1e9, t;

	for (int round = 0; round < ROUNDS; round++) {
		double begun = cpu_now();

		for (unsigned int i = 0; i < n; i++)
			heartbeat_ours(&pairs[i]);
		t = (cpu_now() - begun) / n;
		best = t < best ? t : best;
	}
	must(channel_confirmed(pairs[0].end[0]), "the call ended");
	return best;
}

/* As many as may be locked here: an unprivileged limit of 8 MiB holds some hundreds. */
static unsigned int allowed(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	rlim_t n;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		return SESSIONS;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return 0;
	n = limit.rlim_cur / (2 * SESSION_MAX);
	return n < SESSIONS ? (unsigned int)n : SESSIONS;
}

static void many(const struct pair *keys)
{
	static struct pair few_pairs[SESSIONS / 20], pairs[SESSIONS];
	unsigned int n = allowed() * 20 / 21, few = n / 20;
	double lots_time = 1e9, few_time = 1e9, each;
	char name[64];
	long before;

	if (n < 40) {
		printf("ok %d - many sessions # SKIP too little memory may be locked; run as root\n",
		       ++results);
		return;
	}
	open_all(few_pairs, few, keys);
	beat_all(few_pairs, few);
	before = resident_kib();
	open_all(pairs, n, keys);
	each = (double)(resident_kib() - before) * 1024 / (2 * n);
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		double t = beat_all(pairs, n);

		lots_time = t < lots_time ? t : lots_time;
		t = beat_all(few_pairs, few);
		few_time = t < few_time ? t : few_time;
		if (lots_time <= LINEAR_LIMIT * few_time)
			break;
	}
	close_all(pairs, n);
	close_all(few_pairs, few);
	snprintf(name, sizeof(name), "a heartbeat among %u sessions, to one among %u", n, few);
	judge(name, lots_time / few_time, lots_time, LINEAR_LIMIT);
	results++;
	bad += each > SESSION_MAX;
	printf("%s %d - a channel takes %.0f bytes of memory, at most %d\n",
	       each > SESSION_MAX ? "not ok" : "ok", results, each, SESSION_MAX);
}

/* ---- for counting ---- */

static void repeat(struct pair *p, const char *what, bool ours, unsigned int n)
{
	static struct frame f;
	void (*run)(void *) = ours ? handshake_ours : handshake_bare;
	void *data = p;

	if (strcmp(what, "heartbeat") == 0) {
		run = ours ? heartbeat_ours : heartbeat_bare;
		heartbeat_begin(p);
	} else if (strncmp(what, "seal-", 5) == 0) {
		frame_begin(&f);
		f.len = strtoul(what + 5, NULL, 10);
		must(f.len <= FRAME_LARGEST, "too long a frame");
		run = ours ? frame_ours : seals_with_sodium(&f) ? frame_sodium : frame_openssl;
		data = &f;
	} else {
		must(strcmp(what, "handshake") == 0,
		     "what is repeated is handshake, heartbeat or seal-LENGTH");
	}
	once(run, data, n);
}

int main(int argc, char **argv)
{
	static struct pair p = { .now = CHANNEL_NSEC_PER_SEC };

	must(crypto_init() == 0, "libsodium did not start");
	for (int side = 0; side < 2; side++) {
		crypto_random(p.key[side], sizeof(p.key[side]));
		crypto_x25519_public(p.key[side], p.public[side]);
	}
	if (argc == 4) {
		repeat(&p, argv[1], strcmp(argv[2], "ours") == 0,
		       (unsigned int)strtoul(argv[3], NULL, 10));
		return 0;
	}
	compare("a whole handshake, both ends", NULL, handshake_ours, handshake_bare, &p, 20,
		HANDSHAKE_LIMIT);
	p.end[0] = p.end[1] = NULL;
	compare("two heartbeats, sealed and opened", heartbeat_begin, heartbeat_ours,
		heartbeat_bare, &p, 200, HEARTBEAT_LIMIT);
	must(channel_confirmed(p.end[0]), "the call ended");
	pair_close(&p);
	frames();
	many(&p);
	printf("1..%d\n", results);
	return bad ? 1 : 0;
}
