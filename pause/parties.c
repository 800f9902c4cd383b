/* parties.c - see parties.h. */
#include "pause/parties.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 512, GENERATIONS = 64, COMMAND_TEXT = 3 * RH_COMMAND_BYTES };

/* A member below this part of the group's greatest is no part of what the group did; this part of the metric must descend from the ancestor. */
static const double member_least = 0.05, kin_least = 0.9;
static const double long_wait_ns = 100e6;
/* ---- names ---- */

static char *command_text(const char *command, char out[COMMAND_TEXT])
{
	text_sanitise(command, RH_COMMAND_BYTES, out, COMMAND_TEXT);
	text_reduce_to_ascii(out);
	return out;
}

char *parties_process_name(const struct sums_process *process, char out[PAUSE_NAME_BYTES])
{
	char command[COMMAND_TEXT];
	snprintf(out, PAUSE_NAME_BYTES, "%s[%u]", command_text(process->command, command), process->pid);
	return out;
}

static void name_group(const struct party *party, struct pause_who *who)
{
	char command[COMMAND_TEXT], ancestor[PAUSE_NAME_BYTES];
	const struct sums_process *parent = party->ancestor;
	command_text(party->leader->command, command);
	if (parent) {
		snprintf(who->name, sizeof(who->name), "%u x %s %s %s%s", party->members, command, parent->exited ? "from" : "under",
		        parties_process_name(parent, ancestor), parent->exited ? ", exited" : "");
		memcpy(who->ancestor, parent->command, sizeof(who->ancestor));
		who->ancestor[sizeof(who->ancestor) - 1] = '\0';
		who->ancestor_pid = parent->pid;
		who->ancestor_exited = parent->exited;
	} else {
		snprintf(who->name, sizeof(who->name), "%u x %s", party->members, command);
	}
}

static void name_tree(const struct party *party, struct pause_who *who)
{
	unsigned children = party->members - 1;
	parties_process_name(party->leader, who->name);
	size_t length = strlen(who->name);
	if (children > 0)
		snprintf(who->name + length, sizeof(who->name) - length, " and %u %s", children, children == 1 ? "child" : "children");
}

void parties_name(const struct party *party, struct pause_who *ret_who)
{
	const struct sums_process *leader = party->leader;
	*ret_who = (struct pause_who){
	        .kind = party->kind,
	        .pid = leader->pid,
	        .start_time_ns = leader->start_time_ns,
	        .process_count = party->members,
	        .cgroup_id = leader->cgroup_id,
	        .exited = party->exited,
	        .policy = party->policy,
	        .rt_prio = party->rt_prio,
	        .nice = party->nice,
	        .share_ratio = NAN,
	        .amount = NAN,
	};
	memcpy(ret_who->command, leader->command, sizeof(ret_who->command));
	ret_who->command[sizeof(ret_who->command) - 1] = '\0';
	if (party->kind == PAUSE_KIND_group)
		name_group(party, ret_who);
	else
		name_tree(party, ret_who);
}

/* ---- building ---- */

static int by_metric(const void *left, const void *right)
{
	const struct sums_process *const *a = left, *const *b = right;
	return (*a)->metric < (*b)->metric ? 1 : (*a)->metric > (*b)->metric ? -1 : 0;
}

/* Rows with a metric, greatest first. Returns how many. */
static uint32_t rank_rows(struct sums *sums, struct sums_process *ranked[ROWS], double *ret_total)
{
	struct sums_process **all = calloc(sums->count ? sums->count : 1, sizeof(struct sums_process *));
	uint32_t count = 0;
	*ret_total = 0;
	for (uint32_t i = 0; all && i < sums->count; i++) {
		struct sums_process *row = &sums->rows[i];
		row->party = 0;
		if (row->metric > 0 && !(row->flags & RH_PROCESS_kernel_thread) && row->pid > 1) {
			*ret_total += row->metric;
			all[count++] = row;
		}
	}
	if (all)
		qsort(all, count, sizeof(struct sums_process *), by_metric);
	count = count < ROWS ? count : ROWS;
	for (uint32_t i = 0; i < count; i++)
		ranked[i] = all[i];
	free(all);
	return count;
}

static bool same_command(const struct sums_process *a, const struct sums_process *b)
{
	return memcmp(a->command, b->command, sizeof(a->command)) == 0;
}

/* The nearest ancestor of the leader, or the leader itself, that nearly all of the members descend from. */
static struct sums_process *common_ancestor(const struct sums *sums, struct sums_process *const *members, uint32_t count)
{
	struct sums_process *node = members[0];
	double total = 0;
	for (uint32_t i = 0; i < count; i++)
		total += members[i]->metric;
	for (unsigned depth = 0; node && depth < GENERATIONS; depth++, node = sums_parent(sums, node)) {
		double under = 0;
		for (uint32_t i = 0; i < count; i++)
			under += sums_descends(sums, members[i], node) ? members[i]->metric : 0;
		if (under >= kin_least * total)
			return node;
	}
	return NULL;
}

/* Have they a control group in common that is not the root of all? Orphans have no other bond. */
static bool one_cgroup(struct sums_process *const *members, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (members[i]->cgroup_id <= 1 || members[i]->cgroup_id != members[0]->cgroup_id)
			return false;
	return true;
}

static void party_add(struct parties *parties, struct party *party, struct sums_process *row)
{
	party->metric += row->metric;
	party->cpu_ns += row->cpu_ns;
	party->run_wait_ns += row->run_wait_ns;
	party->bytes += row->bytes_all;
	party->grown_bytes += fmax(row->grown_bytes, 0);
	party->exited &= row->exited;
	if (row->priority < 0 && row->priority >= -100 && -row->priority - 1 > party->rt_prio) {
		party->rt_prio = (uint8_t)(-row->priority - 1);
		party->policy = row->policy;
	}
	row->party = (uint32_t)(party - parties->list) + 1;
	party->members++;
}

static struct party *party_begin(struct parties *parties, uint8_t kind, struct sums_process *leader)
{
	struct party *party = &parties->list[parties->count++];
	*party = (struct party){.kind = kind, .leader = leader, .exited = true, .policy = leader->policy, .nice = leader->nice};
	return party;
}

/* Those of the same sort for whom there was no place among the greatest: of a crowd all are alike. */
static void add_rest(struct parties *parties, struct party *party, struct sums *sums, double metric_least)
{
	for (uint32_t i = 0; i < sums->count; i++) {
		struct sums_process *row = &sums->rows[i];
		const struct sums_process *leader = party->leader;
		if (row->party != 0 || row->metric <= 0 || row->metric < metric_least || !same_command(row, leader) || row->pid <= 1 ||
		        row->flags & RH_PROCESS_kernel_thread)
			continue;
		if (party->ancestor ? row->ppid == leader->ppid || sums_descends(sums, row, party->ancestor)
		                    : row->cgroup_id == leader->cgroup_id)
			party_add(parties, party, row);
	}
}

static void build_one(struct parties *parties, struct sums *sums, struct sums_process **ranked, uint32_t count, uint32_t first)
{
	struct sums_process *members[ROWS], *leader = ranked[first];
	uint32_t alike = 0;
	for (uint32_t i = first; i < count; i++)
		if (ranked[i]->party == 0 && same_command(ranked[i], leader) && ranked[i]->metric >= member_least * leader->metric)
			members[alike++] = ranked[i];
	struct sums_process *ancestor = alike > 1 ? common_ancestor(sums, members, alike) : NULL;
	bool bound = ancestor || (alike > 1 && one_cgroup(members, alike));
	if (!bound)
		alike = 1;
	bool is_tree = ancestor && ancestor->party == 0 && same_command(ancestor, leader); /* one of another party is no root of this one */
	struct party *party = party_begin(parties,
	        alike == 1 ? PAUSE_KIND_process
	        : is_tree  ? PAUSE_KIND_tree
	                   : PAUSE_KIND_group,
	        is_tree ? ancestor : leader);
	party->ancestor = is_tree ? NULL : ancestor;
	for (uint32_t i = 0; i < alike; i++)
		party_add(parties, party, members[i]);
	if (party->kind == PAUSE_KIND_group && count == ROWS)
		add_rest(parties, party, sums, member_least * leader->metric);
	if (is_tree && ancestor->party == 0)
		party_add(parties, party, ancestor);
	party->weight = party->metric;
}

static int by_weight(const void *left, const void *right)
{
	const struct party *a = left, *b = right;
	return a->weight < b->weight ? 1 : a->weight > b->weight ? -1 : 0;
}

/* Sorts, and lets the processes point at the new places. */
static void sort(struct parties *parties, const struct sums *sums)
{
	uint32_t places[PARTIES];
	for (uint32_t i = 0; i < parties->count; i++)
		parties->list[i].place = i;
	qsort(parties->list, parties->count, sizeof(parties->list[0]), by_weight);
	for (uint32_t i = 0; i < parties->count; i++) {
		places[parties->list[i].place] = i;
	}
	for (uint32_t i = 0; i < sums->count; i++)
		if (sums->rows[i].party != 0)
			sums->rows[i].party = places[sums->rows[i].party - 1] + 1;
}

void parties_build(struct parties *parties, struct sums *sums)
{
	struct sums_process *ranked[ROWS];
	memset(parties, 0, sizeof(*parties));
	uint32_t count = rank_rows(sums, ranked, &parties->metric_total);
	for (uint32_t i = 0; i < count && parties->count < PARTIES; i++)
		if (ranked[i]->party == 0)
			build_one(parties, sums, ranked, count, i);
	parties->weight_total = parties->metric_total;
	sort(parties, sums);
}

/* Who ran for less than a tenth of the longest wait cannot have caused it, however many were waiting while he did. */
static double least_cpu_ns(const struct sums *sums)
{
	double longest_ns = 0;
	for (uint32_t i = 0; i < sums->count; i++)
		if (!(sums->rows[i].flags & (RH_PROCESS_kernel_thread | RH_PROCESS_throttled)))
			longest_ns = fmax(longest_ns, sums->rows[i].run_longest_ns);
	return 0.1 * longest_ns;
}

/* Long waits of those outside of the party that inflicted most: what is to be explained. Returns the most, too, that any party inflicted and did not suffer. */
static double to_be_explained(const struct parties *parties, const struct sums *sums, double least_ns, double *ret_net_ns)
{
	double suffered_ns = 0;
	uint32_t greatest = 0;
	*ret_net_ns = 0;
	for (uint32_t i = 0; i < parties->count; i++)
		greatest = parties->list[i].metric > parties->list[greatest].metric ? i : greatest;
	for (uint32_t i = 0; i < parties->count; i++)
		if (parties->list[i].cpu_ns >= least_ns)
			*ret_net_ns = fmax(*ret_net_ns, parties->list[i].metric - parties->list[i].run_wait_ns);
	for (uint32_t i = 0; i < sums->count; i++) {
		const struct sums_process *row = &sums->rows[i];
		bool outside = row->party != greatest + 1 && !(row->flags & (RH_PROCESS_kernel_thread | RH_PROCESS_throttled));
		suffered_ns += outside && row->run_longest_ns >= long_wait_ns ? row->run_wait_ns : 0;
	}
	return suffered_ns;
}

static void weigh_gross(struct parties *parties)
{
	for (uint32_t i = 0; i < parties->count; i++)
		parties->list[i].weight = parties->list[i].metric;
	parties->weight_total = parties->metric_total;
}

/*
 * Half of the weight is what was inflicted less what was suffered, which is exact where a party's own cpus are its own; half is what falls on others if
 * the waiting of all was mixed, which is nearer to the truth where many parties press upon the same cpus. Where no party inflicted by so much more than it
 * suffered that it would explain the waiting of the others - hundreds of hogs suffer from each other nearly all of what they inflict, and the rest is noise -
 * what was inflicted has to do.
 */
void parties_weigh_net(struct parties *parties, const struct sums *sums)
{
	const double least_ns = least_cpu_ns(sums);
	double waited_ns = 0, net_ns = 0, suffered_ns = to_be_explained(parties, sums, least_ns, &net_ns);
	parties->weight_total = 0;
	for (uint32_t i = 0; i < sums->count; i++)
		waited_ns += sums->rows[i].run_wait_ns;
	for (uint32_t i = 0; i < parties->count; i++) {
		struct party *party = &parties->list[i];
		double own_part = waited_ns > 0 ? fmin(1, party->run_wait_ns / waited_ns) : 0;
		party->weight = 0.5 * fmax(party->metric - party->run_wait_ns, 0) + 0.5 * party->metric * (1 - own_part);
		party->weight = party->cpu_ns >= least_ns ? party->weight : 0;
		parties->weight_total += party->weight;
	}
	if (parties->weight_total <= 0 || net_ns < 0.5 * suffered_ns)
		weigh_gross(parties);
	sort(parties, sums);
}

double parties_share(const struct parties *parties, uint32_t i)
{
	return i < parties->count && parties->weight_total > 0 ? parties->list[i].weight / parties->weight_total : 0;
}

/* ---- trees ---- */

/* Those who start others' work and do none: to name them would accuse whoever is logged in. */
static bool is_starter(const struct sums_process *process)
{
	static const char *const starters[] = {"systemd", "init", "bash", "sh", "dash", "zsh", "fish", "sshd", "login", "sudo", "su",
	        "tmux: server", "screen", "cron", "containerd-shim", "timeout", "dockerd", "gnome-shell", "kwin_wayland", "plasmashell",
	        "Xorg"};
	for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++)
		if (strncmp(process->command, starters[i], RH_COMMAND_BYTES - 1) == 0)
			return true;
	return process->pid <= 2;
}

static double subtree_weight(const struct parties *parties, struct sums *sums, const struct sums_process *root)
{
	double weight = 0;
	for (uint32_t i = 0; i < sums->count; i++) {
		struct sums_process *row = &sums->rows[i];
		if (row->party == 0 || row->metric <= 0 || !sums_descends(sums, row, root))
			continue;
		const struct party *party = &parties->list[row->party - 1];
		weight += party->metric > 0 ? party->weight * row->metric / party->metric : 0;
	}
	return weight;
}

static void make_tree(struct parties *parties, struct sums *sums, struct sums_process *root, double weight)
{
	uint32_t place = parties->count < PARTIES ? parties->count : PARTIES - 1;
	parties->count = place;
	for (uint32_t i = 0; i < sums->count; i++) /* there is no room: the least of all is given up */
		sums->rows[i].party = sums->rows[i].party > place ? 0 : sums->rows[i].party;
	struct party *tree = party_begin(parties, PAUSE_KIND_tree, root);
	double greatest = 0;
	for (uint32_t i = 0; i < sums->count; i++)
		if (sums->rows[i].party != 0 && sums_descends(sums, &sums->rows[i], root))
			greatest = fmax(greatest, sums->rows[i].metric);
	for (uint32_t i = 0; i < sums->count; i++) {
		struct sums_process *row = &sums->rows[i];
		bool is_part = row == root || row->metric >= member_least * greatest;
		if (row->party == 0 || row->party > place || !is_part || !sums_descends(sums, row, root))
			continue;
		struct party *party = &parties->list[row->party - 1];
		double part = party->metric > 0 ? row->metric / party->metric : 0;
		party->weight -= party->weight * part;
		party->metric -= row->metric;
		party->members--;
		party_add(parties, tree, row);
	}
	if (root->party == 0)
		party_add(parties, tree, root);
	tree->weight = weight;
	sort(parties, sums);
	while (parties->count > 1 && parties->list[parties->count - 1].members == 0)
		parties->count--;
}

/* Before anything was taken off: hogs by the hundred that suffer from each other nearly all of what they inflict are still those who did it. */
static bool one_has_most(const struct parties *parties)
{
	for (uint32_t i = 0; i < parties->count; i++)
		if (parties->list[i].metric > 0.5 * parties->metric_total)
			return true;
	return false;
}

void parties_try_tree(struct parties *parties, struct sums *sums)
{
	if (parties->count < 2 || parties_share(parties, 0) > 0.5 || one_has_most(parties))
		return;
	struct sums_process *node = parties->list[0].leader;
	for (unsigned depth = 0; node && depth < GENERATIONS; depth++, node = sums_parent(sums, node)) {
		if (is_starter(node))
			return;
		double weight = subtree_weight(parties, sums, node);
		if (weight > 0.5 * parties->weight_total) {
			make_tree(parties, sums, node, weight);
			return;
		}
	}
}
