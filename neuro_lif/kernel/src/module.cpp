// What Python sees of the kernel. neuro_lif/emulator/compiled.py fills these in.
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>

#include "engine.hpp"
#include "python.hpp"

using namespace neuro_lif;

using Ints = nb::ndarray<const int64_t, nb::numpy, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::numpy, nb::c_contig, nb::device::cpu>;

namespace {

constexpr int FIELDS = 50;

Divisor divisor(uint32_t n) {
    int bits = 0;
    while (uint64_t(1) << bits < n) bits++;
    return {(uint64_t(1) << (31 + bits)) / n + 1, 31 + bits};
}

Operand operand(const int64_t* f) {
    Operand o;
    o.where = Where(f[0]);
    o.index = int32_t(f[1]);
    o.negative = int32_t(f[2]);
    return o;
}

// The order of the fields is that of neuro_lif/emulator/program.py.
Program program(const Ints& code, const Ints& rules, const std::vector<int64_t>& constants) {
    Program p;
    if (code.ndim() != 2 || code.shape(1) != FIELDS) throw std::invalid_argument("code: shape");
    for (size_t i = 0; i < code.shape(0); i++) {
        const int64_t* f = code.data() + i * FIELDS;
        Instruction q;
        q.op = OpCode(f[0]);
        q.reg = int32_t(f[1]);
        q.into = int32_t(f[2]);
        q.a = operand(f + 3);
        q.b = operand(f + 6);
        q.c = operand(f + 9);
        q.k = int32_t(f[12]);
        q.kind = int32_t(f[13]);
        q.round = int32_t(f[14]);
        q.compare = int32_t(f[15]);
        q.reset = int32_t(f[16]);
        q.once = int32_t(f[17]);
        q.sign = int32_t(f[18]);
        q.magnitude = int32_t(f[19]);
        q.set = int32_t(f[20]);
        q.has_min = int32_t(f[21]);
        q.only = int32_t(f[22]);
        q.event = int32_t(f[23]);
        q.port = int32_t(f[24]);
        q.compare_reg = int32_t(f[25]);
        q.offset = f[26];
        q.min_step = f[27];
        q.min_v = f[28];
        q.cap = f[29];
        q.sum_rules = {int32_t(f[30]), int32_t(f[31])};
        q.shift_rules = {int32_t(f[32]), int32_t(f[33])};
        q.rules = {int32_t(f[34]), int32_t(f[35])};
        q.n_then = int32_t(f[36]);
        q.n_else = int32_t(f[37]);
        q.in_lo = f[38];
        q.in_hi = f[39];
        q.lo = f[40];
        q.hi = f[41];
        q.fused = int32_t(f[42]);
        p.code.push_back(q);
    }
    for (size_t i = 0; i < rules.shape(0); i++) {
        const int64_t* f = rules.data() + i * 4;
        p.rules.push_back({Mode(f[0]), f[1], f[2], int32_t(f[3])});
    }
    p.constants = constants;
    p.present = true;
    for (const Instruction& q : p.code) p.sends_once |= q.op == OpCode::fire && q.only && q.once;
    return p;
}

// Keeps the arrays that the network looks into.
struct Kernel {
    Network net;
    std::vector<nb::object> kept;
    bool ready = false;
    std::mutex cutting;
    std::map<int, Cuts> parts;  // by number of threads

    const Cuts& cuts(int many) {
        const std::lock_guard<std::mutex> alone(cutting);
        auto found = parts.find(many);
        if (found == parts.end()) found = parts.emplace(many, net.cuts(many)).first;
        return found->second;
    }

    View keep(const Any& array) {
        kept.push_back(nb::cast(array));
        return view(array);
    }

    int add_population(int size, int n_registers, int n_ports,
                       const std::vector<Any>& parameters, const Ints& initial,
                       const std::vector<std::pair<int64_t, int64_t>>& spans) {
        if (n_registers > MOST_REGISTERS || n_ports > MOST_PORTS) throw std::invalid_argument("too many");
        Population pop;
        pop.size = size;
        pop.n_registers = n_registers;
        pop.n_ports = n_ports;
        for (const Any& p : parameters) {
            if (p.itemsize() != 8 || int(p.size()) < size) throw std::invalid_argument("parameter");
            pop.parameters.push_back(keep(p));
        }
        for (int r = 0; r < n_registers; r++)
            pop.initial.emplace_back(initial.data() + size_t(r) * size,
                                     initial.data() + size_t(r + 1) * size);
        pop.spans = spans;
        for (int q = 0; q < n_ports; q++) {
            pop.port_of.push_back(q);
            pop.right_shift.push_back(0);
        }
        net.populations.push_back(std::move(pop));
        return int(net.populations.size()) - 1;
    }

    // A ring of its own for sums that are shifted to the right as they arrive.
    void set_arriving(int p, const std::vector<std::pair<int64_t, int64_t>>& spans) {
        net.populations.at(p).arriving = spans;
    }

    int add_ring(int p, int port, int right_shift) {
        Population& pop = net.populations.at(p);
        if (pop.port_of.size() == 64) throw std::invalid_argument("too many rings");
        pop.port_of.push_back(port);
        pop.right_shift.push_back(right_shift);
        return int(pop.port_of.size()) - 1;
    }

    // Neurons that are run one by one: which ports take events, to whom each adds its spikes.
    void run_singly(int p, uint32_t event_ports, const std::vector<int32_t>& alias,
                    int64_t alias_cap, int alias_event) {
        Population& pop = net.populations.at(p);
        if (!alias.empty() && int(alias.size()) != pop.size) throw std::invalid_argument("alias");
        for (int target : alias)
            if (target >= pop.size) throw std::invalid_argument("alias");
        pop.singly = true;
        pop.event_ports = event_ports;
        pop.alias = alias;
        pop.alias_cap = alias_cap;
        pop.alias_event = alias_event;
    }

    // A projection into a port of events; cap 0: a neuron counts as often as it spikes.
    void send_singly(int projection, int place, int exponent, int64_t cap, int cap_event) {
        Projection& p = net.projections.at(projection);
        if (p.dense || !(net.populations.at(p.post).event_ports >> p.port & 1))
            throw std::invalid_argument("not a projection into a port of events");
        p.singly = true;
        p.place = place;
        p.exponent = exponent;
        p.cap = cap;
        p.cap_event = cap_event;
    }

    void count_binary(int projection, int event) {
        net.projections.at(projection).binary_event = event;
    }

    void set_exact(int p, const Ints& code, const Ints& rules, const std::vector<int64_t>& constants) {
        net.populations.at(p).exact = program(code, rules, constants);
    }

    void set_quick(int p, const Ints& code, const Ints& rules, const std::vector<int64_t>& constants,
                   const std::vector<Ints>& parameters, const std::vector<Floats>& factors) {
        Population& pop = net.populations.at(p);
        pop.quick = program(code, rules, constants);
        pop.quick.lif = lif_in(pop.quick.code);
        for (const Ints& values : parameters) {
            std::vector<int32_t> row(pop.padded(), 0);
            for (int i = 0; i < pop.size; i++) row[i] = int32_t(values.data()[i]);
            pop.quick_parameters.push_back(std::move(row));
        }
        for (const Floats& values : factors) {
            std::vector<float> row;
            if (values.size() == 1)  // one factor for all: a block of it, and a mark that it is one
                row.assign(LANES + 1, values.data()[0]);
            else if (values.size()) {
                row.assign(values.data(), values.data() + values.size());
                row.resize(pop.padded() == LANES + 1 ? LANES + GROUP : pop.padded(), 0.0f);
            }
            pop.factors.push_back(std::move(row));
        }
    }

    int add_source(int size) {
        net.source_sizes.push_back(size);
        return int(net.source_sizes.size()) - 1;
    }

    Projection& add(bool from_source, int pre, int post, int port, int latency, bool graded,
                    int n_pre, int n_post) {
        net.projections.emplace_back();
        Projection& p = net.projections.back();
        p.from_source = from_source;
        p.pre = pre;
        p.post = post;
        p.port = port;
        p.latency = latency;
        p.graded = graded;
        p.n_pre = n_pre;
        p.n_post = n_post;
        return p;
    }

    static void bound(Projection& p, const Ints& row_most, int64_t most_per_step) {
        p.row_most.assign(row_most.data(), row_most.data() + row_most.size());
        p.most_per_step = most_per_step;
    }

    int add_dense(bool from_source, int pre, int post, int port, int latency, bool graded,
                   const Any& weights, int n_post, int shift, int delay, const Ints& row_most,
                   int64_t most_per_step) {
        Projection& p = add(from_source, pre, post, port, latency, graded, int(weights.shape(0)),
                            n_post);
        bound(p, row_most, most_per_step);
        p.dense = true;
        p.weights = keep(weights);
        p.stride = int64_t(weights.shape(1));
        if (p.weights.width == 1) {
            const int8_t* at = static_cast<const int8_t*>(p.weights.data);
            const auto far = [](int8_t w) { return w < -64 || w > 63; };
            p.small = std::none_of(at, at + weights.size(), far);
        }
        p.shift = shift;
        p.delay = delay;
        return int(net.projections.size()) - 1;
    }

    int add_sparse(bool from_source, int pre, int post, int port, int latency, bool graded,
                    int n_pre, int n_post, const Any& row_start, nb::object segment_start,
                    nb::object segment_delay, int delay, const Any& posts, nb::object weights,
                    int64_t weight, int shift, const Ints& row_most, int64_t most_per_step,
                    bool by_row) {
        Projection& p = add(from_source, pre, post, port, latency, graded, n_pre, n_post);
        bound(p, row_most, most_per_step);
        set_rows(p, [this](const Any& array) { return keep(array); }, row_start, segment_start,
                 segment_delay, posts, weights, by_row);
        p.delay = delay;
        p.weight = weight;
        p.shift = shift;
        return int(net.projections.size()) - 1;
    }

    // As add_sparse, one delay for all; kinds: number of each row's weight, or None; or each:
    // bytes, one per synapse. Returns -1, with nothing added, where a row reaches a neuron twice.
    int add_bits(bool from_source, int pre, int post, int port, int latency, int n_pre, int n_post,
                 const Ints& row_start, int delay, const Any& posts, nb::object kinds,
                 const std::vector<int32_t>& weights, nb::object each, int shift) {
        if (int(row_start.size()) != n_pre + 1 || (kinds.is_none() && each.is_none() && weights.empty()))
            throw std::invalid_argument("rows of bits");
        auto bits = Bits::of(n_pre, n_post, row_start.data(), posts.data(), int(posts.itemsize()));
        if (!bits) return -1;
        bits->weights = weights;
        if (!kinds.is_none()) {
            const Any given = nb::cast<Any>(kinds);
            if (given.itemsize() != 1 || int(given.size()) != n_pre)
                throw std::invalid_argument("kinds");
            const auto* at = static_cast<const uint8_t*>(given.data());
            bits->kind.assign(at, at + n_pre);
        }
        if (!each.is_none()) {
            const View bytes = keep(nb::cast<Any>(each));
            if (bytes.width != 1) throw std::invalid_argument("each");
            bits->each = static_cast<const int8_t*>(bytes.data);
            bits->n_each = row_start.data()[n_pre];
            bits->starts.assign(row_start.data(), row_start.data() + n_pre + 1);
            bits->shift = shift;
        }
        Projection& p = add(from_source, pre, post, port, latency, false, n_pre, n_post);
        p.bits = bits;
        p.delay = delay;
        return int(net.projections.size()) - 1;
    }

    int add_conv(bool from_source, int pre, int post, int port, int latency, bool graded,
                  const std::vector<int>& shape, bool channels_first, const Any& weights,
                  const Any& tap_start, const Any& taps, const Any& run_start, const Any& runs,
                  bool narrow, int shift, int delay, const Ints& row_most, int64_t most_per_step) {
        if (shape.size() != 7) throw std::invalid_argument("shape: seven numbers");
        for (const Any* a : {&tap_start, &taps, &run_start, &runs})
            if (a->itemsize() != 4) throw std::invalid_argument("tables: four bytes each");
        if (narrow && (graded || weights.itemsize() > 2)) throw std::invalid_argument("narrow");
        auto conv = std::make_shared<Conv>();
        const int n_x = shape[1], n_y = shape[2];
        conv->groups = shape[3];
        conv->n_pre_channels = shape[0] / conv->groups;
        conv->x = shape[4];
        conv->x_in = n_x;
        conv->y_in = n_y;
        conv->y = shape[5];
        conv->channels = shape[6] / conv->groups;
        conv->channels_first = channels_first;
        conv->n_last = channels_first ? n_y : shape[0];
        conv->n_middle = channels_first ? n_x : n_y;
        conv->last = divisor(conv->n_last);
        conv->middle = divisor(conv->n_middle);
        // a copy where a line of the cache begins: few bytes that are read very often
        const size_t bytes = weights.nbytes();
        conv->own_weights.resize(bytes / 64 + 1);
        std::memcpy(conv->own_weights.data(), weights.data(), bytes);
        conv->weights = conv->own_weights.data();
        conv->width = int(weights.itemsize());
        conv->channel_stride = (int64_t(weights.size()) - CONV_SPARE) / shape[0];
        conv->tap_start = static_cast<const uint32_t*>(keep(tap_start).data);
        conv->taps = static_cast<const int32_t*>(keep(taps).data);
        conv->run_start = static_cast<const uint32_t*>(keep(run_start).data);
        conv->runs = static_cast<const int32_t*>(keep(runs).data);
        for (size_t k = 2; k < runs.size(); k += 3) conv->full = std::max(conv->full, conv->runs[k]);
        conv->narrow = narrow;
        conv->find_window();
        Projection& p = add(from_source, pre, post, port, latency, graded, shape[0] * n_x * n_y,
                            int(conv->size()));
        bound(p, row_most, most_per_step);
        p.conv = conv;
        p.shift = shift;
        p.delay = delay;
        return int(net.projections.size()) - 1;
    }

    // tables: of every distinct mean; table_of: one per neuron, or empty where there is one mean
    void add_drive(int p, int port, uint32_t seed, uint32_t network_seed,
                   const std::vector<std::vector<uint32_t>>& tables,
                   const std::vector<uint16_t>& table_of, const std::vector<int32_t>& weights) {
        Drive d;
        d.population = p;
        d.port = port;
        d.seed = seed;
        d.network_seed = network_seed;
        d.entries.resize(tables.size());
        for (size_t k = 0; k < tables.size(); k++)
            d.tables.push_back(drive_table(tables[k], d.entries[k]));
        d.table_of = table_of;
        d.weights = weights;
        const size_t size = net.populations.at(p).size;
        const bool fits = (table_of.empty() || table_of.size() == size) &&
                          (weights.size() == 1 || weights.size() == size) && !tables.empty();
        if (!fits || port < 0 || port >= net.populations[p].n_ports)
            throw std::invalid_argument("drive");
        for (uint16_t which : table_of)
            if (which >= tables.size()) throw std::invalid_argument("drive: table");
        net.drives.push_back(std::move(d));
    }

    void finish(int n_events) {
        net.n_events = n_events;
        net.prepare();
        ready = true;
    }
};

// Seconds of a step below which several threads for one sample never pay; below 0: they always do
// (for tests).
std::atomic<double> quickest{1e-5};

// Leave of a sample that is done what is asked for afterwards: spikes, events and numbers.
void shed(Sample& s) {
    s.cells = {};
    s.active = {};
    s.values = {};
    s.inboxes = {};
    s.bursts = {};
    s.plane = {};
    s.touched = {};
}

// One run: samples, inputs and what is recorded of registers.
struct Run {
    Kernel& kernel;
    const Network& net;
    nb::object owner;
    std::vector<nb::object> kept, fed;  // fed: the feeds' arrays
    std::vector<uint32_t> keep;
    std::vector<std::unique_ptr<Sample>> samples;  // each made when it is first stepped
    std::vector<Feed> feeds;
    std::vector<Trace> traces;
    int64_t first_row = 0;  // row of the inputs that the next step takes
    static constexpr int ALONE = 0, TOGETHER = 1, WAYS = 2;
    static constexpr double STRETCH = 3e-3;   // seconds of one
    static constexpr int LEAST_PATIENCE = 8, MOST_PATIENCE = 64;  // stretches between two trials
    static constexpr int SETTLED = 4;  // stretches: alone, cold and measured, together likewise
    int64_t stretches = 0;
    int best = ALONE, worse = 0, until_trial = LEAST_PATIENCE, patience = LEAST_PATIENCE;
    double seconds[WAYS] = {0, 0};            // of a step

    Run(const Run&) = delete;
    Run(nb::object kernel, int batch, const std::vector<uint32_t>& keep) : kernel(nb::cast<Kernel&>(kernel)), net(this->kernel.net), owner(kernel), keep(keep) {
        if (!nb::cast<Kernel&>(kernel).ready) throw std::invalid_argument("finish() first");
        if (keep.size() != net.populations.size()) throw std::invalid_argument("keep: one per population");
        samples.resize(size_t(std::max(batch, 0)));
    }

    Sample& at(size_t k) {
        if (!samples.at(k)) samples[k] = net.start(keep);
        return *samples[k];
    }

    // Before the next stretch of inputs.
    void drop_feeds() {
        feeds.clear();
        fed.clear();
    }

    void clear_feeds() {
        drop_feeds();
        kept.clear();
        traces.clear();
        first_row = 0;
    }

    // Integers of a source, or of a port of a population, from row `first` of the run on.
    void feed(bool to_source, int index, int port, const Any& rows, int place, int64_t first) {
        fed.push_back(nb::cast(rows));
        Feed f = feed_of(rows);
        f.first = first;
        f.to_source = to_source;
        f.index = index;
        f.port = port;
        f.place = place;
        feeds.push_back(f);
    }

    // To find out what it costs.
    void keep_no_spikes() {
        for (size_t k = 0; k < samples.size(); k++) at(k).keeps_spikes = false;
    }

    void trace(int population, int reg, nb::ndarray<int64_t, nb::numpy, nb::c_contig> out) {
        kept.push_back(nb::cast(out));
        Trace t;
        t.population = population;
        t.reg = reg;
        t.out = out.data();
        t.step_stride = int64_t(out.shape(2));
        t.sample_stride = int64_t(out.shape(1)) * t.step_stride;
        traces.push_back(t);
    }

    // Advance all samples by n steps (or fewer, where strict and something overflowed).
    void advance(int64_t n, int threads, bool stop_on_event) {
        nb::gil_scoped_release unlocked;
        if (samples.size() == 1 && threads > 1 && net.may_split(at(0), n, feeds, traces)) {
            together_or_alone(n, threads, stop_on_event);
            return;
        }
        shared_by_threads(samples.size(), threads, [&](size_t k) {
            net.advance(at(k), int(k), n, first_row, feeds, traces, stop_on_event);
        });
        first_row += n;
    }

    // Run samples first .. last - 1 from their first to their last step, one after the other, so
    // that only one at a time is in a thread's caches; of each only its spikes and events are kept.
    void finish_samples(int first, int last, int64_t n, int threads) {
        nb::gil_scoped_release unlocked;
        if (first < 0 || last > int(samples.size())) throw std::invalid_argument("samples");
        shared_by_threads(size_t(last), threads, [&](size_t k) {
            net.advance(at(k), int(k), n, first_row, feeds, traces, false);
            shed(*samples[k]);
        }, size_t(first));
    }

    // Several threads for one sample, or one, whichever was quicker lately. Now and then the slower
    // way is tried again, for another program may take a processor away or give it back: the less
    // often, the more often it lost. What comes first finds memory cold, or a processor asleep, and
    // is no measure.
    void together_or_alone(int64_t n, int threads, bool stop_on_event) {
        Sample& s = *samples[0];
        while (n > 0 && !s.too_wide) {
            const bool forced = quickest < 0;
            if (stretches == 2 && seconds[ALONE] <= quickest) stretches = SETTLED;
            if (until_trial == 0 && seconds[ALONE] <= quickest) until_trial = MOST_PATIENCE;
            const bool starting = stretches < SETTLED, cold = starting && stretches % 2 == 0;
            const bool trial = !starting && until_trial == 0;
            const int way = forced     ? TOGETHER
                            : starting ? (stretches < 2 ? ALONE : TOGETHER)
                            : trial    ? !best
                                       : best;
            const double likely = std::max(seconds[way], 1e-9);
            const int64_t most = cold ? 32 : starting || trial ? 128 : int64_t(STRETCH / likely) + 1;
            const int64_t steps = std::min(n, most), before = s.done;
            const auto start = std::chrono::steady_clock::now();
            if (way == TOGETHER)
                net.advance_split(s, 0, steps, first_row, feeds, traces, stop_on_event,
                                  kernel.cuts(threads));
            else
                net.advance(s, 0, steps, first_row, feeds, traces, stop_on_event);
            const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
            const double each = taken.count() / double(steps);
            first_row += steps;
            n -= steps;
            const bool measured = 2 * steps > most;  // else the call's steps came to an end
            if (measured || cold) {
                seconds[way] = each;
                stretches++;
                if (!cold) judge(trial);
            }
            if (s.done != before + steps) return;
            if (stop_on_event)
                for (const Counted& c : s.counted)
                    if (c.count) return;
        }
    }

    // Say which way is best, and when the other is tried again.
    void judge(bool trial) {
        const bool together = seconds[TOGETHER] > 0 && seconds[TOGETHER] < seconds[ALONE];
        const int quicker = together ? TOGETHER : ALONE;
        until_trial = std::max(until_trial - 1, 0);
        worse = quicker == best ? 0 : worse + 1;
        if (worse == 0) {
            if (!trial) return;
            patience = std::min(2 * patience, MOST_PATIENCE);  // the other one lost again
        } else if (trial || stretches <= SETTLED || worse == 2) {  // one slow stretch says little
            best = quicker;
            worse = 0;
            patience = LEAST_PATIENCE;
        } else {
            return;
        }
        until_trial = patience;
    }

    // Give the memory of all samples back; nothing can be asked for afterwards.
    void release() {
        nb::gil_scoped_release unlocked;
        samples.clear();
    }

    // Neurons of all samples.
    int64_t size() const {
        int64_t n = 1;
        for (const auto& pop : net.populations) n += pop.size;
        return n * int64_t(samples.size());
    }

    int64_t done() const { return steps_done(samples); }

    int64_t too_wide() const {
        int64_t first = 0;
        for (const auto& s : samples)
            if (s && s->too_wide && (!first || s->too_wide < first)) first = s->too_wide;
        return first;
    }

    // Steps of blocks in 32 bits, in 64 bits, and those of the first that were calm.
    std::array<int64_t, 3> blocks() const {
        std::array<int64_t, 3> n{};
        for (const auto& s : samples)
            if (s) n[0] += s->quick_blocks, n[1] += s->exact_blocks, n[2] += s->calm_blocks;
        return n;
    }

    // (number, count, first step, lowest neuron of that step) of the events there were
    std::vector<std::array<int64_t, 4>> events() const {
        std::vector<std::array<int64_t, 4>> all;
        for (int e = 0; e < net.n_events; e++) {
            Counted a;
            for (const auto& s : samples) {
                if (!s) continue;
                const Counted& c = s->counted[e];
                if (!c.count) continue;
                if (!a.count || c.first_step < a.first_step) {
                    a.first_step = c.first_step;
                    a.first_neuron = c.first_neuron;
                } else if (c.first_step == a.first_step) {
                    a.first_neuron = std::min(a.first_neuron, c.first_neuron);
                }
                a.count += c.count;
            }
            if (a.count) all.push_back({e, a.count, a.first_step, a.first_neuron});
        }
        return all;
    }

    nb::tuple take_spikes(int population, int64_t n_steps, int threads) {
        const bool narrow = net.populations.at(population).is_narrow();
        return spikes_taken(samples, population, n_steps, threads, narrow);
    }

    nb::object last_sent(int sample, int population) {
        const auto& values = at(sample).values.at(population);
        std::vector<int32_t> sent(net.populations[population].size, 0);
        for (uint32_t i : samples[sample]->active.at(population)) sent[i] = values[i];
        return as_array(std::move(sent));
    }

    nb::object reg(int sample, int population, int r) {
        const Population& pop = net.populations.at(population);
        const auto& cells = at(sample).cells.at(population);
        std::vector<int64_t> out(pop.size);
        for (int i = 0; i < pop.size; i++) {
            const auto& wild = cells.wild[i / LANES];
            out[i] = wild.empty() ? cells.registers.at(r)[i] : wild[size_t(r) * LANES + i % LANES];
            if (r == 0 && !cells.until.empty() && cells.calm[i / LANES])
                out[i] = std::max<int64_t>(cells.until[i] - samples[sample]->done, 0);
        }
        return as_array(std::move(out));
    }
};

// What a truncated decay leaves of x, by the code that steps neurons; for tests.
nb::object decayed(nb::ndarray<const int32_t, nb::numpy, nb::c_contig> x, float factor) {
    Instruction q;
    q.op = OpCode::decay_rtz;
    q.reg = 1;
    q.kind = int32_t(Kind::mult_keep);
    const std::vector<float> factors(LANES, factor);
    const float* at = factors.data();
    std::vector<int32_t> out(x.data(), x.data() + x.size());
    out.resize((x.size() + LANES - 1) / LANES * LANES, 0);
    std::vector<int32_t> none(LANES, 0), sent(LANES, 0);
    for (size_t first = 0; first < x.size(); first += LANES) {
        Block<int32_t> b{};
        b.code = &q;
        b.n_code = 1;
        b.factors = &at;
        b.state[0] = none.data();
        b.state[1] = out.data() + first;
        b.keep = 2;
        b.sent = sent.data();
        b.lanes = LANES;
        if (!chosen_variant().step32(b)) throw std::runtime_error("a decay was given up");
    }
    out.resize(x.size());
    return as_array(std::move(out));
}

}  // namespace

NB_MODULE(_native, m) {
    nb::set_leak_warnings(false);
    m.attr("FIELDS") = FIELDS;
    m.attr("LANES") = LANES;
    m.attr("MOST_REGISTERS") = MOST_REGISTERS;
    m.def("compiled_sets", [] {
        const auto names = compiled_sets();
        return std::vector<std::string>(names.begin(), names.end());
    });
    m.def("usable_sets", [] {
        const auto names = usable_sets();
        return std::vector<std::string>(names.begin(), names.end());
    });
    m.def("can_expand", &can_expand);
    m.def("used_set", [] { return std::string(chosen_variant().name); });
    m.def("choose_set", [](const std::string& name) { return choose_set(name.c_str()); });
    m.def("decayed", &decayed);
    m.def("share_steps_above", [](double s) { return quickest.exchange(s); });
    nb::class_<Kernel>(m, "Kernel")
        .def(nb::init<>())
        .def("add_population", &Kernel::add_population)
        .def("set_arriving", &Kernel::set_arriving)
        .def("add_ring", &Kernel::add_ring)
        .def("count_binary", &Kernel::count_binary)
        .def("run_singly", &Kernel::run_singly)
        .def("send_singly", &Kernel::send_singly)
        .def("set_exact", &Kernel::set_exact)
        .def("set_quick", &Kernel::set_quick)
        .def("add_source", &Kernel::add_source)
        .def("add_dense", &Kernel::add_dense)
        .def("add_conv", &Kernel::add_conv)
        .def("add_sparse", &Kernel::add_sparse, nb::arg("from_source"), nb::arg("pre"),
             nb::arg("post"), nb::arg("port"), nb::arg("latency"), nb::arg("graded"),
             nb::arg("n_pre"), nb::arg("n_post"), nb::arg("row_start"),
             nb::arg("segment_start").none(), nb::arg("segment_delay").none(), nb::arg("delay"),
             nb::arg("posts"), nb::arg("weights").none(), nb::arg("weight"), nb::arg("shift"),
             nb::arg("row_most"), nb::arg("most_per_step"), nb::arg("by_row") = false)
        .def("add_bits", &Kernel::add_bits, nb::arg("from_source"), nb::arg("pre"), nb::arg("post"),
             nb::arg("port"), nb::arg("latency"), nb::arg("n_pre"), nb::arg("n_post"),
             nb::arg("row_start"), nb::arg("delay"), nb::arg("posts"), nb::arg("kinds").none(),
             nb::arg("weights"), nb::arg("each").none(), nb::arg("shift"))
        .def("add_drive", &Kernel::add_drive)
        .def("finish", &Kernel::finish);
    nb::class_<Run>(m, "Run")
        .def(nb::init<nb::object, int, std::vector<uint32_t>>())
        .def("clear_feeds", &Run::clear_feeds)
        .def("feed", &Run::feed, nb::arg("to_source"), nb::arg("index"), nb::arg("port"),
             nb::arg("rows"), nb::arg("place") = 0, nb::arg("first") = 0)
        .def("drop_feeds", &Run::drop_feeds)
        .def("trace", &Run::trace)
        .def("keep_no_spikes", &Run::keep_no_spikes)
        .def("advance", &Run::advance)
        .def("finish_samples", &Run::finish_samples)
        .def("release", &Run::release)
        .def("size", &Run::size)
        .def("done", &Run::done)
        .def("too_wide", &Run::too_wide)
        .def("blocks", &Run::blocks)
        .def("events", &Run::events)
        .def("take_spikes", &Run::take_spikes)
        .def("last_sent", &Run::last_sent)
        .def("register", &Run::reg);
    add_clocked(m);
    add_tally(m);
}
