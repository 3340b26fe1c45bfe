#include "clocked.hpp"

#include <algorithm>

namespace neuro_lif {

void FloatNetwork::prepare() {
    from_source_.assign(source_sizes.size(), {});
    from_population_.assign(populations.size(), {});
    for (size_t i = 0; i < projections.size(); i++) {
        const FloatProjection& p = projections[i];
        (p.from_source ? from_source_[p.pre] : from_population_[p.pre]).push_back(int(i));
        int64_t longest = p.delay;
        if (!p.single)
            for (int64_t k = 0; k < p.row_start.at(p.n_pre); k++)
                longest = std::max(longest, p.segment_delay.at(k));
        int& steps = populations[p.post].ring_steps[p.receptor];
        while (steps < longest + p.latency + 1) steps *= 2;
    }
    for (auto& pop : populations)
        pop.holds = std::any_of(pop.refract.begin(), pop.refract.end(),
                                [](double steps) { return steps > 0; });
}

std::unique_ptr<FloatSample> FloatNetwork::start() const {
    auto s = std::make_unique<FloatSample>();
    s->spikes.resize(populations.size());
    for (const auto& pop : populations) {
        FloatSample::Cells cells;
        for (int steps : pop.ring_steps) {
            cells.u.emplace_back(pop.padded());
            cells.rings.emplace_back(steps * pop.padded());
        }
        cells.v = Line(pop.padded());
        std::copy(pop.v_init.begin(), pop.v_init.end(), cells.v.data());
        for (size_t r = 0; r < pop.u_init.size(); r++)
            std::copy(pop.u_init[r].begin(), pop.u_init[r].end(), cells.u[r].data());
        if (pop.most > 1) cells.sent = Line(pop.padded());
        if (pop.holds) cells.until = Line(pop.padded());
        if (pop.ring_steps.size() > 1) cells.drive = Line(pop.padded());
        cells.active.resize(pop.size);
        s->cells.push_back(std::move(cells));
    }
    return s;
}

void FloatNetwork::read(const Feed& feed, int sample, int64_t row, FloatSpikes& out) const {
    const int64_t from = feed.at(sample, row);
    if (int64_t(out.values.size()) < feed.n) {
        out.values.resize(feed.n);
        out.active.resize(feed.n);
    }
    out.counts = false;
    out.n = 0;
    if (feed.data.width == 1) {
        const uint8_t* x = static_cast<const uint8_t*>(feed.data.data) + from;
        out.n = chosen_variant().nonzero8(reinterpret_cast<const int8_t*>(x), int(feed.n), 0,
                                          out.active.data());
        for (int k = 0; k < out.n; k++) {
            const uint32_t i = out.active[k];
            out.counts |= x[i] != 1;
            out.values[i] = x[i];
        }
        return;
    }
    const double* x = static_cast<const double*>(feed.data.data) + from;
    for (int64_t i = 0; i < feed.n; i++) {
        if (x[i] == 0) continue;
        out.active[out.n++] = uint32_t(i);
        out.counts |= x[i] != 1;
        out.values[i] = x[i];
    }
}

namespace {

template <class P, class W>
void add_row(double* __restrict out, const P* __restrict posts, const W* __restrict weights,
             int64_t first, int64_t last, double factor) {
    if (factor == 1)
        for (int64_t k = first; k < last; k++) out[posts[k]] += double(weights[k]);
    else
        for (int64_t k = first; k < last; k++) out[posts[k]] += factor * double(weights[k]);
}

template <class P>
void add_span(const FloatProjection& p, double* out, int64_t first, int64_t last, double count,
              double weight) {
    const P* posts = static_cast<const P*>(p.posts.data);
    if (p.by_row || !p.weights.data)
        add_same(out, posts, first, last, count * weight);
    else if (p.weights.width == 4)
        add_row(out, posts, static_cast<const float*>(p.weights.data), first, last, count);
    else
        add_row(out, posts, static_cast<const double*>(p.weights.data), first, last, count);
}

inline double number(const View& view, int64_t i) {
    return view.width == 4 ? double(static_cast<const float*>(view.data)[i])
                           : static_cast<const double*>(view.data)[i];
}

}  // namespace

void FloatNetwork::deliver(FloatSample& s, const FloatProjection& p, const uint32_t* active, int n,
                           const double* values) const {
    if (n == 0) return;
    const FloatPopulation& post = populations[p.post];
    double* ring = s.cells[p.post].rings[p.receptor].data();
    const int64_t last_slot = post.ring_steps[p.receptor] - 1, row = post.padded();
    auto slot = [&](int64_t delay) {
        return ring + ((s.done + p.latency + delay) & last_slot) * row;
    };
    if (p.conv) return convolve(s, *p.conv, active, n, values, slot(p.delay));
    if (p.dense) {
        chosen_clocked().rows({p.weights.data, p.weights.width == 4, p.stride, active, n, values,
                               slot(p.delay)});
        return;
    }
    const View own = p.by_row ? View{} : p.weights;
    const bool narrow = p.posts.width == 2;
    auto span = [&](int k, int64_t& first, int64_t& last) {
        first = p.row_start.at(active[k]);
        last = p.row_start.at(active[k] + 1);
    };
    // memory is asked early: where a row begins, then the row itself
    auto fetch_start = [&](int k) {
        const char* starts = static_cast<const char*>(p.row_start.data);
        if (k < n) __builtin_prefetch(starts + int64_t(active[k]) * p.row_start.width);
    };
    auto fetch = [&](int k) {
        if (k >= n) return;
        int64_t first, last;
        span(k, first, last);
        if (!p.single) first = p.segment_start.at(first), last = p.segment_start.at(last);
        fetch_row(p.posts, own, first, last);
    };
    constexpr int SOON = 3, LATER = 8;
    for (int k = 0; k < LATER; k++) fetch_start(k);
    for (int k = 0; k < SOON; k++) fetch(k);
    for (int k = 0; k < n; k++) {
        fetch_start(k + LATER);
        fetch(k + SOON);
        const double count = values ? values[active[k]] : 1.0;
        const double weight = p.by_row ? number(p.weights, active[k]) : p.weight;
        auto add = [&](double* out, int64_t first, int64_t last) {
            if (narrow)
                add_span<uint16_t>(p, out, first, last, count, weight);
            else
                add_span<uint32_t>(p, out, first, last, count, weight);
        };
        int64_t first, last;
        span(k, first, last);
        if (p.single)
            add(slot(p.delay), first, last);
        else
            for (; first < last; first++)
                add(slot(p.segment_delay.at(first)), p.segment_start.at(first),
                    p.segment_start.at(first + 1));
    }
}

FloatAxis::FloatAxis(int n_in, int n_out, int taps, int stride, int padding, int dilation)
    : n_in(n_in), n_out(n_out), taps(taps), start{0} {
    for (int64_t place = 0; place < n_in; place++) {
        for (int tap = 0; tap < taps; tap++) {
            const int64_t from = place + padding - int64_t(tap) * dilation;
            if (from >= 0 && from % stride == 0 && from / stride < n_out)
                pairs.emplace_back(tap, int(from / stride));
        }
        start.push_back(int(pairs.size()));
    }
}

namespace {

inline void add_weights(double* __restrict out, const double* __restrict weights, int n,
                        double count) {
    if (count - count == 0)
        for (int k = 0; k < n; k++) out[k] += count * weights[k];
    else  // inf or NaN: where there is no weight, there is no synapse
        for (int k = 0; k < n; k++)
            if (weights[k] != 0) out[k] += count * weights[k];
}

}  // namespace

// A spike reaches every neuron at most once, so that the order of its own weights is no matter.
void FloatNetwork::convolve(FloatSample& s, const FloatConv& c, const uint32_t* active, int n,
                            const double* values, double* out) const {
    const int64_t n_first = c.first.n_in, n_second = c.second.n_in;
    const int64_t row = c.second.n_out, plane = row * c.first.n_out;
    const int64_t all_taps = int64_t(c.first.taps) * c.second.taps;
    const int64_t each_in = c.channels_in / c.groups;
    int64_t at = -1;  // the place whose taps are listed
    for (int k = 0; k < n; k++) {
        const int64_t i = active[k];
        const int64_t place = c.channels_first ? i % (n_first * n_second) : i / c.channels_in;
        const int64_t channel = c.channels_first ? i / (n_first * n_second) : i % c.channels_in;
        if (place != at) {
            at = place;
            s.taps.clear();
            const int64_t x = place / n_second, y = place % n_second;
            for (int f = c.first.start[x]; f < c.first.start[x + 1]; f++)
                for (int g = c.second.start[y]; g < c.second.start[y + 1]; g++)
                    s.taps.emplace_back(
                        int64_t(c.first.pairs[f].first) * c.second.taps + c.second.pairs[g].first,
                        c.first.pairs[f].second * row + c.second.pairs[g].second);
        }
        const double count = values ? values[i] : 1.0;
        const int64_t group = channel / each_in;
        const double* weights = c.weights + channel * c.each_out * all_taps;
        if (c.channels_first) {
            double* sums = out + group * c.each_out * plane;
            for (int o = 0; o < c.each_out; o++, sums += plane, weights += all_taps)
                for (const auto& [tap, to] : s.taps) add_weights(sums + to, weights + tap, 1, count);
        } else {
            const int64_t channels = int64_t(c.groups) * c.each_out;
            for (const auto& [tap, to] : s.taps)
                add_weights(out + to * channels + group * c.each_out, weights + tap * c.each_out,
                            c.each_out, count);
        }
    }
}

// bias + (0.0 + gain * (A of the first input) + gain * (A of the second) ...), of this step.
Spread<double> FloatNetwork::inject(FloatSample& s, int p, int sample, int64_t row,
                                    const std::vector<Feed>& feeds) const {
    const FloatPopulation& pop = populations[p];
    const Spread<double> bias{pop.bias.data(), pop.bias.size() > 1};
    Line& out = s.cells[p].injected;
    bool any = false;
    for (const Feed& feed : feeds) {
        if (feed.to_source || feed.index != p || !feed.has(row)) continue;
        if (!out.size()) out = Line(pop.padded());
        if (!any) std::memset(out.data(), 0, sizeof(double) * pop.size);
        any = true;
        const double* amperes = static_cast<const double*>(feed.data.data);
        chosen_clocked().inject(out.data(), pop.gain.data(), amperes + feed.at(sample, row),
                                pop.size);
    }
    if (!any) return bias;
    chosen_clocked().add(out.data(), bias, pop.size);
    return {out.data(), true};
}

// A filter stage sends its u where it is not 0.
void FloatNetwork::stage(FloatSample& s, int index) const {
    FloatSample::Cells& cells = s.cells[index];
    const double* x = cells.u[0].data();
    int n = 0;
    for (int i = 0; i < populations[index].size; i++) {
        cells.active[n] = uint32_t(i);
        n += x[i] != 0;
    }
    cells.n_active = n;
}

void FloatNetwork::neurons(FloatSample& s, int index, int sample, int64_t row,
                           const std::vector<Feed>& feeds,
                           const std::vector<FloatTrace>& traces) const {
    const FloatPopulation& pop = populations[index];
    FloatSample::Cells& cells = s.cells[index];
    const size_t n_receptors = pop.ring_steps.size();
    std::vector<double*> u(n_receptors), in(n_receptors);
    std::vector<Spread<double>> decay_u(n_receptors);
    for (size_t r = 0; r < n_receptors; r++) {
        u[r] = cells.u[r].data();
        in[r] = cells.rings[r].data() + (s.done & (pop.ring_steps[r] - 1)) * pop.padded();
        decay_u[r] = {pop.decay_u[r].data(), pop.decay_u[r].size() > 1};
    }
    auto spread = [](const std::vector<double>& x) { return Spread<double>{x.data(), x.size() > 1}; };
    FloatJob job{};
    job.size = pop.size;
    job.n_receptors = int(n_receptors);
    job.u = u.data();
    job.in = in.data();
    job.v = cells.v.data();
    job.until = cells.until.data();
    job.drive = cells.drive.data();
    job.decay_u = decay_u.data();
    job.decay_v = spread(pop.decay_v);
    job.threshold = spread(pop.threshold);
    job.one = pop.size == 1 || !job.threshold.each;  // all three are of one kind
    job.bias = inject(s, index, sample, row, feeds);
    job.amount = spread(pop.amount);
    job.refract = spread(pop.refract);
    job.subtract = pop.subtract;
    job.most = pop.most;
    job.sent = cells.sent.data();
    cells.several = false;
    job.several = &cells.several;
    job.now = double(s.done);
    job.found = cells.active.data();
    cells.n_active = chosen_clocked().step(job);
    for (const FloatTrace& trace : traces) {
        if (trace.population != index) continue;
        const double* x = trace.of_v ? job.v : n_receptors > 1 ? job.drive : u[0];
        std::copy(x, x + pop.size, trace.out + sample * trace.sample_stride + row * trace.step_stride);
    }
    Spikes& kept = s.spikes[index];
    const bool is_narrow = Spikes::fit_narrow(pop.size);
    if (cells.several || !kept.value.empty())
        kept.add(job.found, size_t(cells.n_active), is_narrow, job.sent);
    else
        kept.add(job.found, size_t(cells.n_active), is_narrow);
}

void FloatNetwork::advance(FloatSample& s, int sample, int64_t n, int64_t row,
                           const std::vector<Feed>& feeds,
                           const std::vector<FloatTrace>& traces) const {
    FloatSpikes sent;
    for (const int64_t last = row + n; row < last; row++) {
        s.done++;
        for (const Feed& feed : feeds) {  // in the order of the inputs
            if (!feed.to_source || !feed.has(row)) continue;
            read(feed, sample, row, sent);
            for (int p : from_source_[feed.index])
                deliver(s, projections[p], sent.active.data(), sent.n,
                        sent.counts ? sent.values.data() : nullptr);
        }
        for (size_t p = 0; p < populations.size(); p++) {
            neurons(s, int(p), sample, row, feeds, traces);
            const FloatSample::Cells& cells = s.cells[p];
            const bool graded = populations[p].graded;
            if (graded) stage(s, int(p));
            const double* values = graded          ? cells.u[0].data()
                                   : cells.several ? cells.sent.data()
                                                   : nullptr;
            for (int q : from_population_[p])
                deliver(s, projections[q], cells.active.data(), cells.n_active, values);
        }
    }
}

}  // namespace neuro_lif
