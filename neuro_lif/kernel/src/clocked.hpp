// The float64 reference, stepped: every sum is added up in the order that
// neuro_lif/reference/clocked.py says, so that this and the numpy engine are equal bit for bit.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "program.hpp"
#include "view.hpp"

namespace neuro_lif {

constexpr int DOUBLES = 8;  // rows of doubles are padded with zeros to a multiple of this

// One step of a population's neurons. Arrays are of its size.
struct FloatJob {
    int size, n_receptors;
    double* const* u;       // [receptor]
    double* const* in;      // [receptor] what arrives, cleared
    double* v;
    double* until;          // last step in which v is held; null: there is no refractory period
    double* drive;          // sum of u over the receptors, written where there are several
    bool one;               // all of these are one number for all:
    const Spread<double>* decay_u;
    Spread<double> decay_v, threshold;     // a spike is v > threshold
    Spread<double> bias, amount, refract;  // amount: what a reset subtracts
    bool subtract;          // else the reset is to 0
    double most;            // a neuron sends at most so many spikes
    double* sent;           // how many who spikes sends, where most > 1; then amount is the threshold
    bool* several;          // set where somebody sends more than one
    double now;             // this step
    uint32_t* found;        // who spikes, rising
};

// Rows of weights that are added whole.
struct FloatRowsJob {
    const void* rows;       // [n_pre][stride], float or double
    bool narrow;            // float
    int64_t stride;
    const uint32_t* active;
    int n_active;
    const double* values;   // [pre] how often each spiked; null: once
    double* out;            // [stride] added to
};

struct FloatVariant {
    int (*step)(const FloatJob& job);  // returns how many spike
    void (*rows)(const FloatRowsJob& job);
    // out = out + gain * amperes
    void (*inject)(double* out, const double* gain, const double* amperes, int n);
    // out = bias + out
    void (*add)(double* out, const Spread<double>& bias, int n);
};

const FloatVariant& chosen_clocked();  // of the instruction set in use

// Doubles that begin with a line of the cache, zero at first.
class Line {
  public:
    explicit Line(int64_t n = 0) : size_(n) {
        if (!n) return;
        data_.reset(static_cast<double*>(::operator new(size_t(n) * 8, std::align_val_t(64))));
        std::memset(data_.get(), 0, size_t(n) * 8);
    }
    double* data() const { return data_.get(); }
    int64_t size() const { return size_; }

  private:
    struct Free {
        void operator()(double* p) const { ::operator delete(p, std::align_val_t(64)); }
    };
    std::unique_ptr<double, Free> data_;
    int64_t size_;
};

struct FloatPopulation {
    int size = 0;
    std::vector<std::vector<double>> decay_u;  // each here: one number, or one per neuron
    std::vector<double> decay_v, bias, gain, threshold, amount, refract;
    std::vector<double> v_init;
    std::vector<std::vector<double>> u_init;   // [receptor] one per neuron; empty: zeros
    double most = 1;                           // spikes that a neuron sends in a step
    bool subtract = false, holds = false;
    bool graded = false;                       // a filter stage: sends its u, no spikes
    std::vector<int> ring_steps;               // [receptor] a power of two
    int64_t padded() const { return (int64_t(size) + DOUBLES - 1) / DOUBLES * DOUBLES; }
};

// One direction of a convolution: which taps read a place of the input, for which of the output.
struct FloatAxis {
    int n_in = 0, n_out = 0, taps = 0;
    std::vector<int> start;                   // [n_in + 1] into the pairs
    std::vector<std::pair<int, int>> pairs;   // (tap, place of the output)
    FloatAxis() = default;
    FloatAxis(int n_in, int n_out, int taps, int stride, int padding, int dilation);
};

// A convolution whose weights are there once. Its planes are (channel, first, second) where the
// channels come first, else (first, second, channel); its weights [channel in][channel out of the
// group][first][second], or [channel in][first][second][channel out of the group].
struct FloatConv {
    bool channels_first = false;
    int channels_in = 1, groups = 1, each_out = 1;  // each_out: of one group
    FloatAxis first, second;
    const double* weights = nullptr;
};

// Synapses by presynaptic neuron; of one neuron, those of one delay follow each other.
struct FloatProjection {
    bool from_source = false;
    int pre = 0, post = 0, receptor = 0, latency = 0, delay = 0, n_pre = 0;
    bool dense = false;
    int64_t stride = 0;     // of dense rows
    View weights;           // float or double; no data: all are `weight`
    bool by_row = false;    // weights has one for each row
    double weight = 0;
    View row_start;         // (n_pre + 1) into segments, or into synapses where single
    bool single = true;     // one delay for all
    std::shared_ptr<const FloatConv> conv;  // neither dense nor sparse
    View segment_start, segment_delay, posts;
};

struct FloatTrace {
    int population = 0;
    bool of_v = false;
    double* out = nullptr;  // (batch, steps, n)
    int64_t sample_stride = 0, step_stride = 0;
};

struct FloatSample {
    struct Cells {
        std::vector<Line> u, rings;        // [receptor]
        Line v, until, drive, injected, sent;
        std::vector<uint32_t> active;      // who spiked just now, the first n_active
        int n_active = 0;
        bool several = false;              // somebody sent more than one
    };
    std::vector<Cells> cells;
    std::vector<std::pair<int64_t, int64_t>> taps;  // of one spike through a convolution
    std::vector<Spikes> spikes;
    int64_t done = 0;
};

// Who of an input is active in a step.
struct FloatSpikes {
    std::vector<uint32_t> active;  // the first n
    int n = 0;
    std::vector<double> values;    // how often each of all did
    bool counts = false;           // not all of them once
};

struct FloatNetwork {
    std::vector<int> source_sizes;
    std::vector<FloatPopulation> populations;
    std::vector<FloatProjection> projections;

    void prepare();
    std::unique_ptr<FloatSample> start() const;
    // Advance sample number `sample` by n steps; `row` is the inputs' first.
    void advance(FloatSample& s, int sample, int64_t n, int64_t row, const std::vector<Feed>& feeds,
                 const std::vector<FloatTrace>& traces) const;

  private:
    std::vector<std::vector<int>> from_source_, from_population_;
    void read(const Feed& feed, int sample, int64_t row, FloatSpikes& out) const;
    // values: how often each of all neurons spiked; null: once
    void deliver(FloatSample& s, const FloatProjection& p, const uint32_t* active, int n,
                 const double* values) const;
    void convolve(FloatSample& s, const FloatConv& c, const uint32_t* active, int n,
                  const double* values, double* out) const;
    void stage(FloatSample& s, int p) const;
    void neurons(FloatSample& s, int p, int sample, int64_t row, const std::vector<Feed>& feeds,
                 const std::vector<FloatTrace>& traces) const;
    Spread<double> inject(FloatSample& s, int p, int sample, int64_t row,
                          const std::vector<Feed>& feeds) const;
};

}  // namespace neuro_lif
