/* gpu.c - see gpu.h. */
#include "collector/meters/gpu.h"

#include "collector/pool.h"
#include "collector/procfs/parse.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	FRESH = 4,              /* in `between`: the tick has not had it yet */
	PLACES = GPU_USERS * 2, /* of the hash table: a power of two */
	STACK_BYTES = 512 * 1024,
	BEGIN_SECONDS = 1,
	CLOSE_SECONDS = 2,
	OLD_LOOKS = 3, /* a result is too old for use after so many intervals and five seconds */
	OLD_SECONDS = 5,
	START_SLACK_NS = 20 * NS_PER_MS, /* two clock ticks: stat gives whole ones */
};

enum thread_state { BEGINNING, BEGUN, ENDED };

/* What the thread has. It outlives the meter if the thread hangs. */
struct gpu_thread {
	struct pool pool; /* this struct */
	struct gpu_work work;
	char name[16];
	uint64_t interval_ns;
	pthread_t id;
	atomic_bool stop;
	atomic_uint between;   /* number of the result between thread and tick, FRESH or not */
	pthread_mutex_t mutex; /* of what follows; no tick takes it */
	pthread_cond_t changed;
	enum thread_state state;
	int result; /* of begin */
	char error[256];
	bool abandoned; /* nobody will join it */
	struct gpu_result results[3];
};

/* What readers are shown of a user: on its way from one look to the next. */
struct gpu_shown {
	uint32_t pid;
	uint64_t start_time_ns, target_ns;
	double time_ns, per_ns; /* of the time that passes */
};

struct gpu {
	struct meter meter; /* first: the interface */
	struct pool pool;   /* this struct */
	struct gpu_thread *thread;
	uint64_t interval_ns, close_ns;
	unsigned front; /* number of the tick's result */
	bool tells;
	double busy_ratio;
	uint64_t looked_ns;
	uint32_t count, newest; /* of shown[newest], by pid */
	struct gpu_shown shown[2][GPU_USERS];
	uint16_t place_of[PLACES]; /* by pid: index in shown[newest] + 1, 0 for none */
};

/* ---- the thread ---- */

static void thread_free(struct gpu_thread *thread)
{
	struct pool pool = thread->pool; /* holds the struct itself */
	pthread_cond_destroy(&thread->changed);
	pthread_mutex_destroy(&thread->mutex);
	pool_release(&pool);
}

static void state_set(struct gpu_thread *thread, enum thread_state state)
{
	pthread_mutex_lock(&thread->mutex);
	thread->state = state;
	pthread_cond_signal(&thread->changed);
	pthread_mutex_unlock(&thread->mutex);
}

/* Neither the raised priority of the collector nor a lowered one: see gpu.h. Refusals leave it as it is. */
static void thread_modest(const struct gpu_thread *thread)
{
	const struct sched_param parameter = {0};
	(void)sched_setscheduler(0, SCHED_BATCH, &parameter);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	(void)pthread_setname_np(pthread_self(), thread->name);
}

/* Rests for a time, or until told to stop. */
static void thread_rest(struct gpu_thread *thread, uint64_t ns)
{
	const struct timespec until = clock_timespec(clock_now_ns(CLOCK_MONOTONIC) + ns);
	pthread_mutex_lock(&thread->mutex);
	while (!atomic_load(&thread->stop) && pthread_cond_timedwait(&thread->changed, &thread->mutex, &until) == 0)
		;
	pthread_mutex_unlock(&thread->mutex);
}

static void thread_looks(struct gpu_thread *thread)
{
	unsigned back = 2;
	while (!atomic_load(&thread->stop)) {
		struct gpu_result *result = &thread->results[back];
		uint64_t began_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
		result->tells = false;
		result->busy_ratio = NAN;
		result->count = 0;
		thread->work.look(thread->work.context, &thread->stop, result);
		result->looked_ns = clock_now_ns(CLOCK_MONOTONIC);
		uint64_t rest_ns = (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns) * GPU_WORK_SHARE;
		/* Pairs with the exchange in result_take(): who gets the number sees what was written. */
		back = atomic_exchange_explicit(&thread->between, back | FRESH, memory_order_acq_rel) & ~(unsigned)FRESH;
		thread_rest(thread, rest_ns > thread->interval_ns ? rest_ns : thread->interval_ns);
	}
}

static void *thread_run(void *context)
{
	struct gpu_thread *thread = context;
	thread_modest(thread);
	thread->result = thread->work.begin != NULL ? thread->work.begin(thread->work.context, thread->error) : 0;
	if (thread->result == 0) {
		state_set(thread, BEGUN);
		thread_looks(thread);
	}
	thread->work.end(thread->work.context);

	pthread_mutex_lock(&thread->mutex);
	thread->state = ENDED;
	pthread_cond_signal(&thread->changed);
	bool abandoned = thread->abandoned;
	pthread_mutex_unlock(&thread->mutex);
	if (abandoned)
		thread_free(thread);
	return NULL;
}

/* Waits until the state is no longer `state`. Returns what it is then, or still is after that time. Holds the mutex. */
static enum thread_state state_await(struct gpu_thread *thread, enum thread_state state, uint64_t ns)
{
	const struct timespec until = clock_timespec(clock_now_ns(CLOCK_MONOTONIC) + ns);
	int result = 0;
	while (thread->state == state && result == 0)
		result = pthread_cond_timedwait(&thread->changed, &thread->mutex, &until);
	return thread->state;
}

/* Signals are for the thread that waits for them. */
static int thread_create(struct gpu_thread *thread)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&thread->id, &attributes, thread_run, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -result;
}

/* Ends and frees it, or leaves that to the thread itself. */
static void thread_end(struct gpu_thread *thread, uint64_t wait_ns)
{
	pthread_t id = thread->id;
	pthread_mutex_lock(&thread->mutex);
	atomic_store(&thread->stop, true);
	pthread_cond_signal(&thread->changed);
	uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + wait_ns;
	enum thread_state state = state_await(thread, BEGINNING, wait_ns);
	if (state == BEGUN) {
		uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
		state = state_await(thread, BEGUN, until_ns > now_ns ? until_ns - now_ns : 0);
	}
	thread->abandoned = state != ENDED;
	pthread_mutex_unlock(&thread->mutex);
	if (state != ENDED) {
		pthread_detach(id);
		return;
	}
	pthread_join(id, NULL);
	thread_free(thread);
}

static int thread_start(const struct gpu_options *options, struct gpu_thread **ret_thread, char error[256])
{
	struct pool pool = {0};
	struct gpu_thread *thread = pool_take(&pool, 1, sizeof(*thread));
	if (thread == NULL) {
		options->work.end(options->work.context);
		snprintf(error, 256, "no memory for the gpu thread");
		return -ENOMEM;
	}
	thread->pool = pool;
	thread->work = options->work;
	thread->interval_ns = options->interval_ns;
	snprintf(thread->name, sizeof(thread->name), "%s", options->name);
	atomic_store(&thread->between, 1);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&thread->mutex, NULL);
	pthread_cond_init(&thread->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	int result = thread_create(thread);
	if (result < 0) {
		options->work.end(options->work.context);
		thread_free(thread);
		snprintf(error, 256, "no thread could be started for the gpus: %s", strerror(-result));
		return result;
	}
	*ret_thread = thread;
	return 0;
}

int gpu_open(const struct gpu_options *options, struct meter **ret_meter, char error[256])
{
	struct pool pool = {0};
	struct gpu_thread *thread;
	*ret_meter = NULL;
	int result = thread_start(options, &thread, error);
	if (result < 0)
		return result;

	pthread_mutex_lock(&thread->mutex);
	enum thread_state state =
	        state_await(thread, BEGINNING, options->begin_ns > 0 ? options->begin_ns : (uint64_t)BEGIN_SECONDS * NS_PER_S);
	if (state == ENDED) {
		result = thread->result;
		memcpy(error, thread->error, sizeof(thread->error));
	}
	pthread_mutex_unlock(&thread->mutex);
	struct gpu *gpu = result < 0 ? NULL : pool_take(&pool, 1, sizeof(*gpu));
	uint64_t close_ns = options->close_ns > 0 ? options->close_ns : (uint64_t)CLOSE_SECONDS * NS_PER_S;
	if (gpu == NULL) {
		thread_end(thread, close_ns);
		if (result == 0) {
			snprintf(error, 256, "no memory for the gpu meter");
			result = -ENOMEM;
		}
		return result;
	}
	gpu->pool = pool;
	gpu->meter.operations = options->operations;
	gpu->thread = thread;
	gpu->interval_ns = options->interval_ns;
	gpu->close_ns = close_ns;
	gpu->busy_ratio = NAN;
	*ret_meter = &gpu->meter;
	return 0;
}

void gpu_close(struct meter **meter)
{
	struct gpu *gpu = (struct gpu *)*meter;
	if (gpu == NULL)
		return;
	thread_end(gpu->thread, gpu->close_ns);
	struct pool pool = gpu->pool; /* holds the struct itself */
	pool_release(&pool);
	*meter = NULL;
}

/* ---- the tick ---- */

static void places_fill(struct gpu *gpu)
{
	const struct gpu_shown *shown = gpu->shown[gpu->newest];
	memset(gpu->place_of, 0, sizeof(gpu->place_of));
	for (uint32_t i = 0; i < gpu->count; i++) {
		uint32_t place = shown[i].pid % PLACES;
		while (gpu->place_of[place] != 0)
			place = (place + 1) % PLACES;
		gpu->place_of[place] = (uint16_t)(i + 1);
	}
}

static struct gpu_shown *shown_of(struct gpu *gpu, uint32_t pid)
{
	for (uint32_t place = pid % PLACES; gpu->place_of[place] != 0; place = (place + 1) % PLACES) {
		struct gpu_shown *shown = &gpu->shown[gpu->newest][gpu->place_of[place] - 1];
		if (shown->pid == pid)
			return shown;
	}
	return NULL;
}

/* Sends every user on its way to what the newest look found, in about the time until the next. */
static void shown_renew(struct gpu *gpu, const struct gpu_result *result)
{
	struct gpu_shown *next = gpu->shown[!gpu->newest];
	uint64_t span_ns = gpu->looked_ns > 0 ? result->looked_ns - gpu->looked_ns : gpu->interval_ns;
	for (uint32_t i = 0; i < result->count; i++) {
		const struct gpu_user *user = &result->users[i];
		const struct gpu_shown *before = shown_of(gpu, user->pid);
		next[i] = (struct gpu_shown){.pid = user->pid,
		        .start_time_ns = user->start_time_ns,
		        .target_ns = user->time_ns,
		        .time_ns = (double)user->time_ns};
		/* Of one that is new all time counts at once: it has no rate yet. */
		if (before == NULL || before->start_time_ns != user->start_time_ns)
			continue;
		next[i].time_ns = before->time_ns;
		next[i].per_ns = span_ns > 0 ? fmax((double)user->time_ns - before->time_ns, 0) / (double)span_ns : 1;
	}
	gpu->newest = !gpu->newest;
	gpu->count = result->count;
	gpu->tells = result->tells;
	gpu->busy_ratio = result->busy_ratio;
	gpu->looked_ns = result->looked_ns;
	places_fill(gpu);
}

/* Takes the newest result, if there is one since the last time. */
static void result_take(struct gpu *gpu)
{
	struct gpu_thread *thread = gpu->thread;
	if ((atomic_load_explicit(&thread->between, memory_order_relaxed) & FRESH) == 0)
		return;
	/* Pairs with the exchange in thread_looks(). */
	gpu->front = atomic_exchange_explicit(&thread->between, gpu->front, memory_order_acq_rel) & ~(unsigned)FRESH;
	shown_renew(gpu, &thread->results[gpu->front]);
}

static void shown_advance(struct gpu *gpu, uint64_t interval_ns)
{
	struct gpu_shown *shown = gpu->shown[gpu->newest];
	for (uint32_t i = 0; i < gpu->count; i++) {
		double time_ns = shown[i].time_ns + shown[i].per_ns * (double)interval_ns;
		shown[i].time_ns = fmin(time_ns, (double)shown[i].target_ns);
	}
}

bool gpu_tick(struct meter *meter, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system)
{
	struct gpu *gpu = (struct gpu *)meter;
	result_take(gpu);
	if (gpu->looked_ns == 0)
		return false;
	shown_advance(gpu, interval_ns);
	for (uint32_t i = 0; i < count && gpu->count > 0; i++) {
		struct raw_process *process = &processes[i];
		const struct gpu_shown *shown = shown_of(gpu, process->pid);
		if (shown == NULL || process->start_time_ns + START_SLACK_NS < shown->start_time_ns ||
		        process->start_time_ns > shown->start_time_ns + START_SLACK_NS)
			continue;
		/* The other gpu meter may have been here: a machine can have gpus of both kinds. */
		uint64_t others_ns = rh_has(process->present, RH_F_gpu_time_ns) ? process->gpu_time_ns : 0;
		process->gpu_time_ns = others_ns + (uint64_t)shown->time_ns;
		rh_set(process->present, RH_F_gpu_time_ns);
	}
	uint64_t age_ns = clock_now_ns(CLOCK_MONOTONIC) - gpu->looked_ns;
	if (!gpu->tells || age_ns > gpu->interval_ns * OLD_LOOKS + (uint64_t)OLD_SECONDS * NS_PER_S)
		return false;
	if (!isnan(gpu->busy_ratio)) {
		bool other = rh_has(system->present, RH_S_gpu_contention_ratio);
		system->gpu_busy_ratio = other ? fmax(system->gpu_busy_ratio, gpu->busy_ratio) : gpu->busy_ratio;
		rh_set(system->present, RH_S_gpu_contention_ratio);
	}
	return true;
}

uint64_t gpu_process_start(int proc_fd, uint32_t pid, uint32_t *ret_flags)
{
	char path[32], text[1024];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%u/stat", pid);
	ssize_t length = file_read_at(proc_fd, path, text, sizeof(text));
	if (length <= 0 || !procfs_parse_stat(text, (size_t)length, &stat) || stat.fields < 22)
		return 0;
	if (ret_flags != NULL)
		*ret_flags = stat.flags;
	long per_second = sysconf(_SC_CLK_TCK);
	/* pid 1 may have started in tick 0. */
	uint64_t start_time_ns = stat.start_ticks * ((uint64_t)NS_PER_S / (per_second > 0 ? (uint64_t)per_second : 100));
	return start_time_ns > 0 ? start_time_ns : 1;
}
