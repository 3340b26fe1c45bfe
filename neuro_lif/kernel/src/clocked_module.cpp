// What Python sees of the float64 engine. neuro_lif/reference/compiled.py fills it in.
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>

#include "clocked.hpp"
#include "python.hpp"

using namespace neuro_lif;

using Doubles = nb::ndarray<const double, nb::numpy, nb::c_contig, nb::device::cpu>;

namespace {

std::vector<double> numbers(const Doubles& array) {
    return {array.data(), array.data() + array.size()};
}

// Keeps the arrays that the network looks into.
struct FloatKernel {
    FloatNetwork net;
    std::vector<nb::object> kept;
    bool ready = false;

    View keep(const Any& array) {
        kept.push_back(nb::cast(array));
        return view(array);
    }

    int add_source(int size) {
        net.source_sizes.push_back(size);
        return int(net.source_sizes.size()) - 1;
    }

    // How many spikes a neuron sends at most; u before the first step, (n_receptors, n) or None.
    void set_first(int population, double most, nb::object u_init) {
        FloatPopulation& pop = net.populations.at(population);
        pop.most = most;
        if (u_init.is_none()) return;
        const Doubles given = nb::cast<Doubles>(u_init);
        const size_t n = size_t(pop.size), many = pop.ring_steps.size();
        if (given.size() != n * many) throw std::invalid_argument("u_init");
        for (size_t r = 0; r < many; r++)
            pop.u_init.emplace_back(given.data() + r * n, given.data() + (r + 1) * n);
    }

    // Every parameter is one number, or one for each neuron; gain and v_init are one for each.
    int add_population(int size, const std::vector<Doubles>& decay_u, const Doubles& decay_v,
                       const Doubles& threshold, const Doubles& bias, const Doubles& gain,
                       const Doubles& amount, const Doubles& refract, const Doubles& v_init,
                       bool subtract, bool graded) {
        FloatPopulation pop;
        pop.size = size;
        for (const Doubles& decay : decay_u) pop.decay_u.push_back(numbers(decay));
        pop.decay_v = numbers(decay_v);
        pop.threshold = numbers(threshold);
        pop.bias = numbers(bias);
        pop.gain = numbers(gain);
        pop.amount = numbers(amount);
        pop.refract = numbers(refract);
        pop.v_init = numbers(v_init);
        pop.subtract = subtract;
        pop.graded = graded;
        pop.ring_steps.assign(decay_u.size(), 1);
        const size_t n = size_t(size), kind = pop.threshold.size();
        bool fits = kind == pop.decay_v.size() && pop.gain.size() == n && pop.v_init.size() == n;
        for (const auto& decay : pop.decay_u) fits &= decay.size() == kind;
        for (const auto* x : {&pop.threshold, &pop.bias, &pop.amount, &pop.refract})
            fits &= x->size() == 1 || x->size() == n;
        if (!fits || size < 1 || decay_u.empty()) throw std::invalid_argument("population");
        net.populations.push_back(std::move(pop));
        return int(net.populations.size()) - 1;
    }

    FloatProjection& add(bool from_source, int pre, int post, int receptor, int latency, int delay,
                         int n_pre) {
        const FloatPopulation& target = net.populations.at(post);
        const int size = from_source ? net.source_sizes.at(pre) : net.populations.at(pre).size;
        if (receptor < 0 || receptor >= int(target.ring_steps.size()) || size != n_pre ||
            latency < 0 || delay < 0)
            throw std::invalid_argument("projection");
        net.projections.emplace_back();
        FloatProjection& p = net.projections.back();
        p.from_source = from_source;
        p.pre = pre;
        p.post = post;
        p.receptor = receptor;
        p.latency = latency;
        p.delay = delay;
        p.n_pre = n_pre;
        return p;
    }

    void add_dense(bool from_source, int pre, int post, int receptor, int latency, int delay,
                   const Any& weights) {
        FloatProjection& p = add(from_source, pre, post, receptor, latency, delay,
                                 int(weights.shape(0)));
        p.dense = true;
        p.weights = keep(weights);
        p.stride = int64_t(weights.shape(1));
        if (p.stride != net.populations[post].padded()) throw std::invalid_argument("stride");
    }

    void add_sparse(bool from_source, int pre, int post, int receptor, int latency, int delay,
                    int n_pre, const Any& row_start, nb::object segment_start,
                    nb::object segment_delay, const Any& posts, nb::object weights, double weight,
                    bool by_row) {
        FloatProjection& p = add(from_source, pre, post, receptor, latency, delay, n_pre);
        set_rows(p, [this](const Any& array) { return keep(array); }, row_start, segment_start,
                 segment_delay, posts, weights, by_row);
        p.weight = weight;
    }

    // axes: of each direction (places in, places out, taps, stride, padding, dilation).
    void add_conv(bool from_source, int pre, int post, int receptor, int latency, int delay,
                  bool channels_first, int channels_in, int groups, int each_out,
                  const std::vector<std::vector<int>>& axes, const Doubles& weights) {
        auto c = std::make_shared<FloatConv>();
        c->channels_first = channels_first;
        c->channels_in = channels_in;
        c->groups = groups;
        c->each_out = each_out;
        auto axis = [&](size_t k) {
            const auto& a = axes.at(k);
            if (a.size() != 6 || *std::min_element(a.begin(), a.end()) < 0 || a[3] < 1)
                throw std::invalid_argument("axis");
            return FloatAxis(a[0], a[1], a[2], a[3], a[4], a[5]);
        };
        c->first = axis(0);
        c->second = axis(1);
        const int64_t in = int64_t(c->first.n_in) * c->second.n_in * channels_in;
        const int64_t out = int64_t(c->first.n_out) * c->second.n_out * groups * each_out;
        const int64_t taps = int64_t(c->first.taps) * c->second.taps;
        if (groups < 1 || channels_in % groups || out != net.populations.at(post).size ||
            int64_t(weights.size()) != channels_in * taps * each_out)
            throw std::invalid_argument("convolution");
        kept.push_back(nb::cast(weights));
        c->weights = weights.data();
        add(from_source, pre, post, receptor, latency, delay, int(in)).conv = std::move(c);
    }

    void finish() {
        net.prepare();
        ready = true;
    }
};

// One run: samples, inputs and what is recorded.
struct FloatRun {
    const FloatNetwork& net;
    nb::object owner;
    std::vector<nb::object> kept, fed;  // fed: the feeds' arrays
    std::vector<std::unique_ptr<FloatSample>> samples;
    std::vector<Feed> feeds;
    std::vector<FloatTrace> traces;

    FloatRun(const FloatRun&) = delete;
    FloatRun(nb::object kernel, int batch)
        : net(nb::cast<FloatKernel&>(kernel).net), owner(kernel) {
        if (!nb::cast<FloatKernel&>(kernel).ready) throw std::invalid_argument("finish() first");
        for (int k = 0; k < batch; k++) samples.push_back(net.start());
    }

    // Counts (uint8 or float64) of a source, or currents (float64) of a population, in n_steps
    // steps from row `first` of the run on; one row is for all of them.
    void feed(bool to_source, int index, const Any& rows, int64_t n_steps, int64_t first) {
        Feed f = feed_of(rows);
        if (f.n_steps == 1) f.step_stride = 0;
        if (f.n_steps != 1 && f.n_steps != n_steps) throw std::invalid_argument("feed");
        f.n_steps = n_steps;
        f.first = first;
        const int n = to_source ? net.source_sizes.at(index) : net.populations.at(index).size;
        if (f.n != n || !(f.data.width == 8 || (to_source && f.data.width == 1)))
            throw std::invalid_argument("feed");
        fed.push_back(nb::cast(rows));
        f.to_source = to_source;
        f.index = index;
        feeds.push_back(f);
    }

    // Before the next stretch of inputs.
    void drop_feeds() {
        feeds.clear();
        fed.clear();
    }

    void trace(int population, bool of_v, nb::ndarray<double, nb::numpy, nb::c_contig> out) {
        kept.push_back(nb::cast(out));
        FloatTrace t;
        t.population = population;
        t.of_v = of_v;
        t.out = out.data();
        t.step_stride = int64_t(out.shape(2));
        t.sample_stride = int64_t(out.shape(1)) * t.step_stride;
        traces.push_back(t);
    }

    void advance(int64_t n, int threads) {
        nb::gil_scoped_release unlocked;
        shared_by_threads(samples.size(), threads, [&](size_t k) {
            net.advance(*samples[k], int(k), n, samples[k]->done, feeds, traces);
        });
    }

    // Neurons of all samples.
    int64_t size() const {
        int64_t n = 1;
        for (const auto& pop : net.populations) n += pop.size;
        return n * int64_t(samples.size());
    }

    int64_t done() const { return steps_done(samples); }

    nb::tuple take_spikes(int population, int64_t n_steps, int threads) {
        const bool narrow = Spikes::fit_narrow(net.populations.at(population).size);
        return spikes_taken(samples, population, n_steps, threads, narrow);
    }
};

}  // namespace

void add_clocked(nb::module_& m) {
    m.attr("DOUBLES") = DOUBLES;
    nb::class_<FloatKernel>(m, "FloatKernel")
        .def(nb::init<>())
        .def("add_source", &FloatKernel::add_source)
        .def("add_population", &FloatKernel::add_population)
        .def("set_first", &FloatKernel::set_first, nb::arg("population"), nb::arg("most"),
             nb::arg("u_init").none())
        .def("add_dense", &FloatKernel::add_dense)
        .def("add_conv", &FloatKernel::add_conv)
        .def("add_sparse", &FloatKernel::add_sparse, nb::arg("from_source"), nb::arg("pre"),
             nb::arg("post"), nb::arg("receptor"), nb::arg("latency"), nb::arg("delay"),
             nb::arg("n_pre"), nb::arg("row_start"), nb::arg("segment_start").none(),
             nb::arg("segment_delay").none(), nb::arg("posts"), nb::arg("weights").none(),
             nb::arg("weight"), nb::arg("by_row"))
        .def("finish", &FloatKernel::finish);
    nb::class_<FloatRun>(m, "FloatRun")
        .def(nb::init<nb::object, int>())
        .def("feed", &FloatRun::feed, nb::arg("to_source"), nb::arg("index"), nb::arg("rows"),
             nb::arg("n_steps"), nb::arg("first") = 0)
        .def("drop_feeds", &FloatRun::drop_feeds)
        .def("trace", &FloatRun::trace)
        .def("advance", &FloatRun::advance)
        .def("size", &FloatRun::size)
        .def("done", &FloatRun::done)
        .def("take_spikes", &FloatRun::take_spikes);
}
