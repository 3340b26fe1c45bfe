// One sample stepped by several threads. Each has a range of every population's blocks: it steps
// their neurons and delivers all spikes to them, so that only who spiked has to be known to others.
// They meet once for each population and step. A step in which some block is not calm is made by
// the first thread alone.
#include <algorithm>
#include <atomic>
#include <thread>

#include "engine.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace neuro_lif {

namespace {

class Meeting {
  public:
    explicit Meeting(int many) : many_(many) {}

    void wait() {
        const uint32_t turn = turn_.load(std::memory_order_acquire);
        if (come_.fetch_add(1, std::memory_order_acq_rel) + 1 == many_) {
            come_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            return;
        }
        for (int k = 0; turn_.load(std::memory_order_acquire) == turn; k++) {
            if (k > PATIENCE)
                std::this_thread::yield();
#if defined(__SSE2__)
            else
                _mm_pause();
#endif
        }
    }

  private:
    static constexpr int PATIENCE = 4000;  // looks before a thread lets others run
    const int many_;
    alignas(64) std::atomic<int> come_{0};
    alignas(64) std::atomic<uint32_t> turn_{0};
};

// How many of a row's posts lie below a neuron; they rise within it.
template <class P>
uint32_t below(const void* posts, int64_t first, int64_t last, int64_t neuron) {
    const P* at = static_cast<const P*>(posts);
    return uint32_t(std::lower_bound(at + first, at + last, neuron,
                                     [](P a, int64_t b) { return int64_t(a) < b; }) -
                    (at + first));
}

}  // namespace

bool Network::may_split(const Sample& s, int64_t n, const std::vector<Feed>& feeds,
                        const std::vector<Trace>& traces) const {
    if (!traces.empty()) return false;
    for (size_t p = 0; p < populations.size(); p++)
        if (populations[p].singly || !may_be_calm(s, int(p), n, feeds, traces)) return false;
    for (const auto& p : projections)
        if (p.graded || p.binary_event >= 0 || p.conv || p.singly) return false;
    return true;
}

Cuts Network::cuts(int threads) const {
    constexpr int TILE_BLOCKS = 16;  // 16 KiB of sums
    constexpr int WORTH_IT = 48;     // synapses of a row in a tile, on average
    Cuts out;
    out.threads = threads;
    for (const auto& p : projections) {
        const int n_blocks = populations[p.post].n_blocks();
        const bool rows = !p.dense && !p.conv && !p.bits && !p.singly;
        const View& start = p.single ? p.row_start : p.segment_start;
        const int64_t n = !rows      ? 0
                          : p.single ? p.n_pre
                          : p.segment_start.data ? p.row_start.at(p.n_pre)
                                                 : 0;
        int tiles = (n_blocks / threads + TILE_BLOCKS - 1) / TILE_BLOCKS;
        if (n == 0 || tiles < 2 || start.at(n) / n < int64_t(WORTH_IT) * tiles * threads) tiles = 1;
        out.tiles.push_back(tiles);
        out.rows.emplace_back();
        const int parts = threads * tiles;
        if (n == 0 || parts == 1) continue;
        auto& cuts = out.rows.back();
        cuts.reserve(n * (parts - 1));
        for (int64_t row = 0; row < n; row++)
            for (int k = 1; k < parts; k++) {
                const int64_t neuron = int64_t(Cuts::block(n_blocks, k, parts)) * LANES;
                const int64_t first = start.at(row), last = start.at(row + 1);
                cuts.push_back(p.posts.width == 2 ? below<uint16_t>(p.posts.data, first, last, neuron)
                                                  : below<uint32_t>(p.posts.data, first, last, neuron));
            }
    }
    return out;
}

void Network::advance_split(Sample& s, int sample, int64_t n, int64_t first,
                            const std::vector<Feed>& feeds, const std::vector<Trace>& traces,
                            bool stop_on_event, const Cuts& cuts) const {
    const int64_t before = s.done;
    const size_t many = size_t(cuts.threads), n_populations = populations.size();
    Meeting meeting(cuts.threads);
    // Whether some block was not calm after step t: number t % 3, written in step t, read at the
    // start of t + 1, and cleared in t + 2, when all have read it and nobody is writing it yet.
    const bool ready = all_calm(s);
    std::atomic<bool> disturbed[3] = {!ready, !ready, !ready};
    std::vector<std::vector<uint32_t>> spiked[2];
    for (auto& lists : spiked) lists.resize(n_populations * many);
    bool stop = false;  // written by the first thread while the others wait

    auto alone = [&](int64_t k) {
        advance(s, sample, 1, first + k, feeds, traces, stop_on_event);
        stop = s.too_wide || s.done != before + k + 1;
        if (stop_on_event)
            for (const Counted& c : s.counted) stop |= c.count > 0;
    };
    auto work = [&](int number) {
        std::vector<uint32_t> active;
        std::vector<int32_t> values;
        for (int64_t k = 0; k < n; k++) {
            const int64_t t = before + k + 1;
            std::atomic<bool>& now = disturbed[t % 3];
            if (disturbed[(t + 2) % 3]) {
                meeting.wait();
                if (number == 0) {
                    alone(k);
                    now = !all_calm(s);
                    disturbed[(t + 1) % 3] = false;
                }
                meeting.wait();
                if (stop) return;
                continue;
            }
            if (number == 0) disturbed[(t + 1) % 3] = false;
            bool too_wide = false;  // of no account: these spikes carry no values
            for (size_t source = 0; source < source_sizes.size(); source++) {
                if (from_source_[source].empty()) continue;
                read(feeds, int(source), sample, first + k, active, values, too_wide);
                for (int p : from_source_[source])
                    deliver(s, projections[p], active.data(), int(active.size()), values.data(), t,
                            cuts, number);
            }
            for (size_t p = 0; p < n_populations; p++) {
                const Population& pop = populations[p];
                auto* lists = spiked[t & 1].data() + p * many;
                const int from = Cuts::block(pop.n_blocks(), number, cuts.threads);
                const int to = Cuts::block(pop.n_blocks(), number + 1, cuts.threads);
                lists[number].clear();
                if (from < to) {
                    drive(s, int(p), sample, t, from * LANES, std::min(pop.size, to * LANES));
                    if (!run_calm(s, int(p), t, from, to, lists[number])) now = true;
                }
                meeting.wait();
                if (number == 0) {
                    s.done = t;
                    s.quick_blocks += pop.n_blocks();
                    s.calm_blocks += pop.n_blocks();
                    s.active[p].clear();
                    for (size_t j = 0; j < many; j++)
                        s.active[p].insert(s.active[p].end(), lists[j].begin(), lists[j].end());
                    note_spikes(s, int(p), true);
                }
                if (from_population_[p].empty()) continue;
                active.clear();  // all that spiked, rising
                for (size_t j = 0; j < many; j++)
                    active.insert(active.end(), lists[j].begin(), lists[j].end());
                for (int q : from_population_[p])
                    deliver(s, projections[q], active.data(), int(active.size()),
                            s.values[p].data(), t, cuts, number);
            }
        }
    };
    std::vector<std::thread> others;
    for (int number = 1; number < cuts.threads; number++) others.emplace_back(work, number);
    work(0);
    for (auto& thread : others) thread.join();
}

}  // namespace neuro_lif
