// Neurons that take their events one by one, or add spikes to each other: one neuron at a time, in
// 64 bits, as neuro_lif/semantics.py and neuro_lif/machine.py say it.
#include <algorithm>
#include <cstring>

#include "arithmetic.hpp"
#include "engine.hpp"

namespace neuro_lif {
namespace {

// Goes through what arrived at one port of a neuron, event by event.
class Cursor {
  public:
    Cursor() = default;
    Cursor(const Inbox& inbox, int port, int neuron)
        : port(port), events_(inbox.events.data()), at_(inbox.first[port][neuron]) {}
    bool ended() const { return at_ < 0; }
    const Event& event() const { return events_[at_]; }

    // Whether the event takes an earlier turn than the other's: by projection, presynaptic index
    // and repetition.
    bool before(const Cursor& other) const {
        const Event &a = event(), &b = other.event();
        if (a.place != b.place) return a.place < b.place;
        if (a.pre != b.pre) return a.pre < b.pre;
        return repetition_ < other.repetition_;
    }

    void next() {
        repetition_++;
        if (++used_ < event().times) return;
        const Event& done = event();
        at_ = done.next;
        used_ = 0;
        // several synapses between the same two neurons go on counting
        if (!ended() && (event().place != done.place || event().pre != done.pre)) repetition_ = 0;
    }

    int port = 0;

  private:
    const Event* events_ = nullptr;
    int32_t at_ = -1;
    int64_t used_ = 0, repetition_ = 0;
};

// Runs the exact program of a population for one neuron after the other.
class Runner {
  public:
    Runner(const Network& net, Sample& s, int index)
        : net_(net), s_(s), pop_(net.populations[index]), inbox_(s.inboxes[index]),
          code_(pop_.exact.code.data()) {}

    // state: register r is at r * LANES. Returns what the neuron has sent in the end.
    int64_t step(int neuron, int64_t sent, int64_t* state) {
        neuron_ = neuron;
        sent_ = sent;
        for (int r = 0; r < pop_.n_registers; r++) reg_[r] = state[r * LANES];
        for (int q = 0; q < pop_.n_ports; q++)
            port_[q] = inbox_.sums[q].empty() ? 0 : inbox_.sums[q][neuron];
        run(0, int(pop_.exact.code.size()));
        for (int r = 0; r < pop_.n_registers; r++) state[r * LANES] = reg_[r];
        return sent_;
    }

  private:
    const Network& net_;
    Sample& s_;
    const Population& pop_;
    const Inbox& inbox_;
    const Instruction* code_;
    int neuron_ = 0;
    int64_t sent_ = 0;
    int64_t reg_[MOST_REGISTERS] = {}, port_[MOST_PORTS] = {};

    int64_t value(const Operand& o) const {
        const int64_t x =
            o.where == Where::constant    ? pop_.exact.constants[o.index]
            : o.where == Where::parameter
                ? static_cast<const int64_t*>(pop_.parameters[o.index].data)[neuron_]
                : reg_[o.index];
        return o.negative ? -x : x;
    }

    int64_t bounded(int64_t x, const RuleSpan& span) {
        for (int k = span.first; k < span.first + span.count; k++) {
            const Rule& rule = pop_.exact.rules[k];
            if (x >= rule.lo && x <= rule.hi) continue;
            net_.count(s_, rule.event, 1, neuron_);
            x = ruled(x, rule);
        }
        return x;
    }

    void run(int first, int last) {
        for (int i = first; i < last; i++) {
            const Instruction& q = code_[i];
            const int then = i + 1, otherwise = then + q.n_then, end = otherwise + q.n_else;
            auto branch = [&](bool holds) {
                holds ? run(then, otherwise) : run(otherwise, end);
            };
            switch (q.op) {
                case OpCode::acc: acc(q); break;
                case OpCode::decay: decay(q); break;
                case OpCode::add: add(q); break;
                case OpCode::copy: reg_[q.reg] = value(q.a); break;
                case OpCode::clamp: clamp(q); break;
                case OpCode::floor: floor(q); break;
                case OpCode::fire: fire(q); break;
                case OpCode::if_: branch(holds(q)); break;
                case OpCode::if_ref: branch(reg_[0] > 0); break;
                case OpCode::if_step: branch(due(q)); break;
                case OpCode::tick_ref: reg_[0] = std::max<int64_t>(reg_[0] - 1, 0); break;
                case OpCode::emit: sent_ += shifted(value(q.a), value(q.b)); break;
                case OpCode::each: each(q, then, otherwise); break;
                case OpCode::decay_rtz:
                case OpCode::saturate: break;  // only in programs for 32 bits
            }
            i = end - 1;
        }
    }

    void acc(const Instruction& q) {
        int64_t total = bounded(port_[q.port], q.sum_rules);
        total = bounded(shifted(total, value(q.a)), q.shift_rules);
        reg_[q.reg] = bounded(reg_[q.reg] + total, q.rules);
    }

    void decay(const Instruction& q) {
        const int64_t x = reg_[q.reg];
        const int64_t kept = after_decay(Kind(q.kind), x, value(q.a), q.k, q.offset,
                                         Rounding(q.round), q.min_step);
        reg_[q.into >= 0 ? q.into : q.reg] = bounded(q.into >= 0 ? kept - x : kept, q.rules);
    }

    void add(const Instruction& q) {
        const int64_t x = value(q.a), by = value(q.b);
        const bool rtz = Rounding(q.round) == Rounding::rtz;
        const int64_t source = bounded(rtz ? shifted_rtz(x, by) : shifted(x, by), q.sum_rules);
        reg_[q.reg] = bounded(reg_[q.reg] + q.sign * source, q.rules);
    }

    void clamp(const Instruction& q) {
        const int64_t x = reg_[q.reg];
        reg_[q.reg] = std::min(std::max(x, value(q.a)), value(q.b));
        if (reg_[q.reg] != x) net_.count(s_, q.event, 1, neuron_);
    }

    void floor(const Instruction& q) {
        const int64_t x = reg_[q.reg];
        if (!compared(Compare(q.compare), x, value(q.a))) return;
        reg_[q.reg] = q.set ? value(q.b) : x - value(q.b);
    }

    bool holds(const Instruction& q) const {
        const int64_t x = value(q.a), level = shifted(value(q.b), value(q.c));
        return compared(Compare(q.compare), q.magnitude && x < 0 ? -x : x, level);
    }

    bool due(const Instruction& q) const {
        const int64_t interval = value(q.a);
        return interval > 0 && (s_.done - value(q.b)) % interval == 0;
    }

    void fire(const Instruction& q) {
        const int64_t threshold = shifted(value(q.a), q.k), cap = q.once ? 1 : q.cap - sent_;
        const Reset reset = Reset(q.reset);
        int64_t x = reg_[q.reg], spikes = 0;  // a reset to a value counts on a copy
        while (spikes < cap) {
            const int64_t seen = q.compare_reg >= 0 ? reg_[q.compare_reg] : x;
            if (!compared(Compare(q.compare), seen, threshold)) break;
            if (q.has_min && seen < q.min_v) break;
            spikes++;
            if (reset == Reset::subtract)
                reg_[q.reg] = x = bounded(x - threshold, q.rules);
            else if (reset == Reset::value && !q.once)
                x -= threshold;
            else
                break;
        }
        sent_ += spikes;
        if (!spikes) return;
        if (reset == Reset::value) reg_[q.reg] = value(q.b);
        if (q.c.where != Where::none) reg_[0] = value(q.c);
    }

    // The body once for every turn in which one of the ports has an event.
    void each(const Instruction& q, int first, int last) {
        int ports[MOST_PORTS], n = 0;
        for (int p = 0; p < pop_.n_ports; p++)
            if (q.k >> p & 1) ports[n++] = p;
        if (n > 1) return jointly(ports, n, first, last);
        for (Cursor c(inbox_, ports[0], neuron_); !c.ended(); c.next()) {
            port_[c.port] = c.event().weight;
            run(first, last);
        }
    }

    void jointly(const int* ports, int n, int first, int last) {
        Cursor cursors[MOST_PORTS];  // those beyond the n-th have ended
        for (int k = 0; k < n; k++) cursors[k] = Cursor(inbox_, ports[k], neuron_);
        while (true) {
            const Cursor* next = nullptr;
            for (const Cursor& c : cursors)
                if (!c.ended() && (!next || c.before(*next))) next = &c;
            if (!next) return;
            const Cursor turn = *next;
            for (int k = 0; k < n; k++) {
                Cursor& c = cursors[k];
                const bool now = !c.ended() && !turn.before(c);
                port_[c.port] = now ? c.event().weight : 0;
                if (now) c.next();
            }
            run(first, last);
        }
    }
};

void put(Inbox& inbox, int port, int64_t neuron, const Event& event) {
    const int32_t at = int32_t(inbox.events.size());
    int32_t& last = inbox.last[port][neuron];
    (last < 0 ? inbox.first[port][neuron] : inbox.events[last].next) = at;
    last = at;
    inbox.events.push_back(event);
}

void put_burst(Inbox& inbox, const Projection& p, const Burst& burst) {
    for (int64_t k = burst.first; k < burst.last; k++) {
        const int64_t weight = p.weights.data ? p.weights.at(k) * (int64_t(1) << p.shift) : p.weight;
        const int64_t shared = shifted(burst.negative ? -weight : weight, p.exponent);
        put(inbox, p.port, p.posts.at(k),
            {shared, burst.times, uint32_t(p.place), burst.pre, -1});
    }
}

}  // namespace

void Network::start_singly(Sample& s) const {
    s.inboxes.resize(populations.size());
    s.bursts.resize(projections.size());
    for (const Projection& p : projections)
        if (p.singly) s.bursts[p.number].resize(p.n_slots);
    for (size_t k = 0; k < populations.size(); k++) {
        const Population& pop = populations[k];
        for (int q = 0; q < pop.n_ports; q++)
            if (pop.event_ports >> q & 1) {
                s.inboxes[k].first[q].assign(pop.size, -1);
                s.inboxes[k].last[q].assign(pop.size, -1);
            } else if (pop.singly) {
                s.inboxes[k].sums[q].assign(pop.size, 0);
            }
    }
}

void Network::send(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                   const int32_t* values, int64_t t) const {
    if (s.too_wide) return;  // a count that was cut
    auto& slots = s.bursts[p.number];
    for (int k = 0; k < n_active; k++) {
        const uint32_t pre = active[k];
        const int64_t value = values[pre];
        if (p.binary_event >= 0 && value != 1) count(s, p.binary_event, 1, pre);
        int64_t times = !p.graded ? 1 : value < 0 ? -value : value;
        if (p.cap && times > p.cap) {
            count(s, p.cap_event, 1, pre);
            times = p.cap;
        }
        Burst burst{pre, uint32_t(times), p.graded && value < 0, 0, 0};
        int64_t from = p.row_start.at(pre);
        const int64_t to = p.row_start.at(pre + 1);
        if (p.single) {
            burst.first = from;
            burst.last = to;
            if (from < to) slots[(t + p.latency + p.delay) % p.n_slots].push_back(burst);
            continue;
        }
        for (; from < to; from++) {
            burst.first = p.segment_start.at(from);
            burst.last = p.segment_start.at(from + 1);
            const int64_t arrives = t + p.latency + int64_t(p.segment_delay.at(from));
            slots[arrives % p.n_slots].push_back(burst);
        }
    }
}

// Everything that arrives in this step: sums of ports, and events in their order.
void Network::gather(Sample& s, int index, int sample, int64_t row,
                     const std::vector<Feed>& feeds) const {
    const Population& pop = populations[index];
    Inbox& inbox = s.inboxes[index];
    if (!inbox.events.empty()) {  // those of the step before
        inbox.events.clear();
        for (int q = 0; q < pop.n_ports; q++) {
            std::fill(inbox.first[q].begin(), inbox.first[q].end(), -1);
            std::fill(inbox.last[q].begin(), inbox.last[q].end(), -1);
        }
    }
    for (auto& sums : inbox.sums) std::fill(sums.begin(), sums.end(), 0);
    for (const Projection& p : projections) {
        if (!p.singly || p.post != index) continue;
        std::vector<Burst>& arriving = s.bursts[p.number][s.done % p.n_slots];
        // by presynaptic neuron, and of one neuron what was sent first
        if (!p.single)
            std::stable_sort(arriving.begin(), arriving.end(),
                             [](const Burst& a, const Burst& b) { return a.pre < b.pre; });
        for (const Burst& burst : arriving) put_burst(inbox, p, burst);
        arriving.clear();
    }
    for (size_t r = 0; r < pop.ring_steps.size(); r++) {
        if (!pop.ring_steps[r]) continue;
        int32_t* ring = s.cells[index].rings[r].data() +
                        (s.done & (pop.ring_steps[r] - 1)) * int64_t(pop.padded());
        std::vector<int64_t>& sums = inbox.sums[pop.port_of[r]];
        for (int i = 0; i < pop.size; i++) sums[i] += ring[i] >> pop.right_shift[r];
        std::memset(ring, 0, sizeof(int32_t) * pop.padded());
    }
    for (const Feed& feed : feeds) {
        if (feed.to_source || feed.index != index || !feed.has(row)) continue;
        const bool events = pop.event_ports >> feed.port & 1;
        const int64_t from = feed.at(sample, row);
        for (int i = 0; i < pop.size; i++) {
            const int64_t x = feed.data.at(from + i);
            if (!events)
                inbox.sums[feed.port][i] += x;
            else if (x)
                put(inbox, feed.port, i, {x, 1, uint32_t(feed.place), 0, -1});
        }
    }
}

void Network::neurons_singly(Sample& s, int index, int sample, int64_t row,
                             const std::vector<Feed>& feeds,
                             const std::vector<Trace>& traces) const {
    const Population& pop = populations[index];
    Sample::Cells& cells = s.cells[index];
    gather(s, index, sample, row, feeds);
    std::vector<int64_t>& sent = s.inboxes[index].sent;
    sent.assign(pop.size, 0);
    Runner runner(*this, s, index);
    for (int i = 0; i < pop.size; i++) {
        sent[i] = runner.step(i, sent[i], cells.wild[i / LANES].data() + i % LANES);
        const int target = pop.alias.empty() ? -1 : pop.alias[i];
        if (target < 0) continue;
        const int64_t total = sent[target] + sent[i];
        if (total > pop.alias_cap) count(s, pop.alias_event, 1, target);
        sent[target] = std::min(total, pop.alias_cap);
    }
    std::vector<uint32_t>& active = s.active[index];
    active.clear();
    for (int i = 0; i < pop.size; i++) {
        int32_t& value = s.values[index][i];
        value = int32_t(sent[i]);
        if (value != sent[i]) s.too_wide = s.done;
        if (sent[i]) active.push_back(uint32_t(i));
    }
    note_spikes(s, index, false);
    for (const Trace& trace : traces) {
        if (trace.population != index) continue;
        int64_t* out = trace.out + sample * trace.sample_stride + row * trace.step_stride;
        for (int b = 0; b < pop.n_blocks(); b++)
            std::memcpy(out + b * LANES, cells.wild[b].data() + size_t(trace.reg) * LANES,
                        sizeof(int64_t) * std::min(LANES, pop.size - b * LANES));
    }
    s.exact_blocks += pop.n_blocks();
}

}  // namespace neuro_lif
