// A network in a chip's integers, stepped: neurons in blocks, spikes along rows of synapses.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bits.hpp"
#include "conv.hpp"
#include "drive.hpp"
#include "events.hpp"
#include "program.hpp"
#include "view.hpp"

namespace neuro_lif {

// Where the usual LIF neuron of a population stands, and when its blocks are calm (CalmJob).
struct Calm {
    bool present = false;
    int u = -1, v = -1, port = -1;
    CalmJob job{};                  // what is the same in every step
    std::vector<int32_t> threshold; // of ">=", one lower
};

struct Population {
    int size = 0, n_registers = 0, n_ports = 0;
    Program exact, quick;
    std::vector<View> parameters;                  // exact: int64, one per neuron
    std::vector<std::vector<int32_t>> quick_parameters;
    std::vector<std::vector<float>> factors;       // [instruction of quick], empty: none
    std::vector<std::vector<int64_t>> exact_constants;
    std::vector<std::vector<int32_t>> quick_constants;
    std::vector<std::pair<int64_t, int64_t>> spans; // a register outside: the block is wild
    std::vector<std::vector<int64_t>> initial;
    std::vector<std::vector<int32_t>> initial32;   // the same, and with which blocks are wild
    std::vector<uint8_t> starts_wild;
    std::vector<std::pair<int64_t, int64_t>> arriving;  // [port] what can arrive in a step, and
                                                        // more only if it is fed
    Calm calm;
    std::vector<int> ring_steps;                   // [port] length of the ring, 0: no ring
    std::vector<int> port_of, right_shift;         // [ring] port it leads to, and by what shift
    std::vector<const int32_t*> quick_constant_at;  // [constant], the same for all blocks
    std::vector<const int64_t*> exact_constant_at;
    bool singly = false;           // neurons are run one by one, in index order (events.cpp)
    uint32_t event_ports = 0;      // bits of the ports that take events one by one
    std::vector<int32_t> alias;    // [neuron] to whom its spikes are added, -1: nobody; or empty
    int64_t alias_cap = 0;
    int32_t alias_event = -1;      // counts what is above the cap
    bool is_narrow() const { return Spikes::fit_narrow(size); }
    int n_blocks() const { return (size + LANES - 1) / LANES; }
    int padded() const { return (size + GROUP - 1) / GROUP * GROUP; }
};

// Rows of synapses, by presynaptic neuron; those of one delay follow each other.
struct Projection {
    bool from_source = false;
    int pre = 0, post = 0, port = 0, latency = 0;
    bool graded = false, dense = false;
    int n_pre = 0, n_post = 0;
    // sparse
    View row_start;        // (n_pre + 1) into segments, or into synapses where single
    bool single = true;    // one delay for all
    int delay = 0;
    View segment_start;    // (n_segments + 1) into synapses
    View segment_delay;    // (n_segments)
    View posts;            // uint16 or uint32
    View weights;          // int8, int16, int32; none where all weights are one number
    bool by_row = false;   // weights has one for each row
    int64_t weight = 0;
    int shift = 0;         // weights are stored divided by 2^shift
    // dense
    int64_t stride = 0;
    bool small = false;    // bytes of which two can be added up in one
    std::shared_ptr<const Conv> conv;  // neither dense nor sparse
    std::shared_ptr<const Bits> bits;  // sparse, with few different weights
    // graded: largest magnitude of the weights of each row, and what a step may sum up to
    std::vector<int32_t> row_most;
    int64_t most_per_step = 0;
    int32_t binary_event = -1;  // counts values other than 1 that arrive as 1
    // into a port that takes events one by one: place among the port's projections, and how often
    // a neuron counts at most in one step (0: no limit)
    bool singly = false;
    int number = 0, place = 0, exponent = 0, n_slots = 0;
    int64_t cap = 0;
    int32_t cap_event = -1;
};

// Poisson input of a population (neuro_lif/poisson.py).
struct Drive {
    int population = 0, port = 0;
    uint32_t seed = 0, network_seed = 0;
    std::vector<std::vector<int32_t>> entries;
    std::vector<DriveTable> tables;  // that look into the entries
    std::vector<uint16_t> table_of;  // one per neuron; empty: the first table for all
    std::vector<int32_t> weights;    // one, or one per neuron
};

struct Trace {
    int population = 0, reg = 0;
    int64_t* out = nullptr;       // (batch, steps, n)
    int64_t sample_stride = 0, step_stride = 0;
};

struct Counted {
    int64_t count = 0, first_step = 0, first_neuron = 0;
};

// What one sample's state is.
struct Sample {
    struct Cells {
        std::vector<std::vector<int32_t>> registers;       // [register][neuron], those kept
        std::vector<std::vector<int64_t>> wild;            // [block] -> registers x LANES, or empty
        std::vector<std::vector<int32_t>> rings;           // [port] -> steps x padded
        std::vector<uint8_t> calm;     // [block] whether it is; the counter is then in `until`
        std::vector<int32_t> until;    // last step of the refractory period
    };
    std::vector<Cells> cells;
    std::vector<uint32_t> keep;   // [population] bits of the registers that live on or are recorded
    std::vector<Spikes> spikes;
    std::vector<Counted> counted;
    std::vector<std::vector<uint32_t>> active;             // [population] who spiked just now
    std::vector<std::vector<int32_t>> values;              // [population] what each sends
    std::vector<Inbox> inboxes;                            // [population]
    std::vector<std::vector<std::vector<Burst>>> bursts;   // [projection][slot of its ring]
    std::vector<int32_t> plane;   // sums of a convolution while it is delivered, else 0
    std::vector<uint8_t> touched; // rows of it that were added to, else 0
    std::vector<uint64_t> masks;  // spikes of a convolution by place while it is delivered, else 0
    std::vector<uint32_t> order;  // spikes of a convolution, sorted by rows
    bool keeps_spikes = true;
    int64_t done = 0;
    int64_t too_wide = 0;   // a step in which sums may have left 32 bits: run it elsewhere
    int64_t exact_blocks = 0, quick_blocks = 0, calm_blocks = 0;  // the calm are quick too
};

// Where the rows of synapses are parted: each thread has a range of every population's blocks, and
// each tile a part of that, so small that its sums stay in the nearest cache.
struct Cuts {
    int threads = 1;
    std::vector<int> tiles;                   // [projection]
    std::vector<std::vector<uint32_t>> rows;  // [projection][row or segment][threads * tiles - 1]:
                                              // synapses before; empty: not parted
    // The first block of a part.
    static int block(int n_blocks, int part, int parts) { return int(int64_t(n_blocks) * part / parts); }
};

class Network {
  public:
    std::vector<Population> populations;
    std::vector<Projection> projections;
    std::vector<Drive> drives;
    std::vector<int> source_sizes;
    int n_events = 0;

    void prepare();
    std::unique_ptr<Sample> start(const std::vector<uint32_t>& keep) const;
    // Advance one sample by n steps; feeds and traces are those of the whole run.
    void advance(Sample& s, int sample, int64_t n, int64_t first, const std::vector<Feed>& feeds,
                 const std::vector<Trace>& traces, bool stop_on_event) const;
    void count(Sample& s, int32_t event, int64_t n, int64_t neuron) const;

    // The same by several threads; only where may_split() says so.
    void advance_split(Sample& s, int sample, int64_t n, int64_t first,
                       const std::vector<Feed>& feeds, const std::vector<Trace>& traces,
                       bool stop_on_event, const Cuts& cuts) const;
    bool may_split(const Sample& s, int64_t n, const std::vector<Feed>& feeds,
                   const std::vector<Trace>& traces) const;
    Cuts cuts(int threads) const;

  private:
    Cuts alone_;  // of one thread
    std::vector<std::vector<int>> from_source_, from_population_;
    std::vector<uint8_t> values_matter_;  // [source] whether some projection asks for them
    void neurons(Sample& s, int p, int sample, int64_t row, const std::vector<Feed>& feeds,
                 const std::vector<Trace>& traces, bool may_be_calm) const;
    // Draw what arrives in step s.done at the population and add it to its rings.
    void drive(Sample& s, int p, int sample, int64_t t, int first, int last) const;
    void read(const std::vector<Feed>& feeds, int source, int sample, int64_t row,
              std::vector<uint32_t>& active, std::vector<int32_t>& values, bool& too_wide) const;
    bool all_calm(const Sample& s) const;
    void deliver(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                 const int32_t* values, int64_t t, const Cuts& cuts, int thread) const;
    void deliver_rows(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                      const int32_t* values, int64_t t, const Cuts& cuts, int part) const;
    void deliver_bits(const Projection& p, const uint32_t* active, int n_active, int from, int to,
                      int32_t* out) const;
    void convolve(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                  const int32_t* values, int32_t* out) const;
    // In the next n steps.
    bool may_be_calm(const Sample& s, int p, int64_t n, const std::vector<Feed>& feeds,
                     const std::vector<Trace>& traces) const;
    void calm_down(Sample::Cells& cells, const Population& pop, int block, int64_t t) const;
    void wake(Sample::Cells& cells, const Population& pop, int block, int64_t t) const;
    // Add to `active` who spikes; false: some block is not calm any more.
    bool run_calm(Sample& s, int p, int64_t t, int first_block, int last_block,
                  std::vector<uint32_t>& active) const;
    void note_spikes(Sample& s, int p, bool all_one) const;  // all_one: each sends 1
    // events.cpp
    void start_singly(Sample& s) const;
    void send(Sample& s, const Projection& p, const uint32_t* active, int n_active,
              const int32_t* values, int64_t t) const;
    void gather(Sample& s, int p, int sample, int64_t row, const std::vector<Feed>& feeds) const;
    void neurons_singly(Sample& s, int p, int sample, int64_t row, const std::vector<Feed>& feeds,
                        const std::vector<Trace>& traces) const;
};

}  // namespace neuro_lif
