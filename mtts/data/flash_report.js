"use strict";
// Draws the charts of a flash report out of the page's own data, and filters its table. Without it the tables remain.
(() => {
  const KIB = 1024;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const size = (bytes) => {
    const units = ["B", "KiB", "MiB", "GiB"];
    let amount = bytes, unit = 0;
    while (Math.abs(amount) >= KIB && unit < units.length - 1) { amount /= KIB; unit += 1; }
    return `${Number(amount.toFixed(unit ? 2 : 0))} ${units[unit]}`;
  };
  const day = (time) => new Date(time).toISOString().slice(5, 10);
  const minute = (time) => `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const count = (number) => (number >= 1e6 ? `${(number / 1e6).toFixed(1)} M` : number >= 1e4 ? `${Math.round(number / 1e3)} k` : `${number}`);

  // Some seven ticks, each at the beginning of a day.
  const dayTicks = (scale) => {
    const length = 864e5, every = Math.max(1, Math.ceil((scale.max - scale.min) / length / 6)) * length;
    scale.ticks = [];
    for (let time = Math.ceil(scale.min / length) * length; time <= scale.max; time += every) scale.ticks.push({ value: time });
  };

  // Ticks at round sizes: powers of two, not of ten.
  const roundStep = (span) => 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(span, 1) / 4)));

  const common = () => ({
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "nearest", intersect: false },
    plugins: { legend: { display: false } },
  });
  const axis = (more) => ({
    border: { color: colour("line") },
    ...more,
    grid: { color: colour("line"), ...(more.grid || {}) },
    ticks: { color: colour("dim"), maxRotation: 0, autoSkipPadding: 14, font: { size: 11 }, ...(more.ticks || {}) },
  });

  const freeChart = (router) => {
    if (router.free.length < 2) return null;
    const times = router.free.map(([time]) => time);
    const span = { min: times[0], max: times[times.length - 1] };
    // What the first deploy took would hide everything that came later.
    const first = router.runs.filter((run) => run.first).map((run) => run.at).pop() ?? span.min;
    const later = router.free.filter(([time]) => time >= first);
    const amounts = (later.length > 1 ? later : router.free).map(([, free]) => free);
    const lowest = Math.min(...amounts), highest = Math.max(...amounts);
    // Where there is plenty of room, the trend matters; where there is little, how far it is from the floor.
    const isNear = router.floor !== null && lowest < 3 * router.floor;
    const room = Math.max(highest - lowest, 64 * KIB);
    const low = isNear ? 0 : Math.max(0, lowest - room / 4);
    const high = Math.max(highest + room / 4, isNear ? router.floor : 0);
    const step = roundStep(high - low);
    const marker = router.runs.map((run) => ({ x: run.at, y: run.free, run }));
    const datasets = [
      {
        data: marker, showLine: false, pointRadius: 4.5, pointHoverRadius: 6,
        pointBackgroundColor: marker.map(({ run }) => colour(run.leak ? "warn" : "teal")),
        pointBorderColor: colour("card"), pointBorderWidth: 1.5,
      },
      {
        data: router.free.map(([x, y]) => ({ x, y })), borderColor: colour("blue"), borderWidth: 1.75,
        pointRadius: 0, pointHitRadius: 6, fill: isNear ? "start" : false, backgroundColor: `${colour("blue")}1f`,
      },
    ];
    if (isNear) {
      datasets.push({
        data: [{ x: span.min, y: router.floor }, { x: span.max, y: router.floor }],
        borderColor: colour("warn"), borderDash: [5, 4], borderWidth: 1.25, pointRadius: 0, isFloor: true,
      });
    }
    const base = common();
    return {
      type: "line",
      data: { datasets },
      options: {
        ...base,
        scales: {
          x: axis({ type: "linear", ...span, grid: { display: false }, ticks: { callback: day }, afterBuildTicks: dayTicks }),
          y: axis({ min: Math.floor(low / step) * step, max: Math.ceil(high / step) * step, ticks: { callback: size, stepSize: step } }),
        },
        plugins: {
          ...base.plugins,
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => (item.dataset.isFloor ? "" : minute(item.parsed.x)),
              label: (item) => {
                if (item.dataset.isFloor) return `the next update needs ${size(item.parsed.y)}`;
                return item.raw.run ? [item.raw.run.what, `${size(item.parsed.y)} free`] : `${size(item.parsed.y)} free`;
              },
            },
          },
        },
      },
    };
  };

  const costChart = (router) => {
    const runs = router.runs.filter((run) => !run.first).slice(-20);
    if (!runs.length) return null;
    const all = runs.flatMap((run) => [run.used, run.expected ?? 0]);
    const low = Math.min(0, ...all), high = Math.max(0, ...all), step = roundStep(high - low);
    const base = common();
    return {
      type: "bar",
      data: {
        labels: runs.map((run) => day(run.at)),
        datasets: [
          { data: runs.map((run) => run.used), backgroundColor: runs.map((run) => colour(run.leak ? "warn" : "teal")), maxBarThickness: 26 },
          { data: runs.map((run) => run.expected), backgroundColor: colour("grey"), maxBarThickness: 26 },
        ],
      },
      options: {
        ...base,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: axis({ grid: { display: false } }),
          y: axis({
            min: Math.floor(low / step) * step, max: Math.max(Math.ceil(high / step), 1) * step,
            ticks: { callback: size, stepSize: step },
          }),
        },
        plugins: {
          ...base.plugins,
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => [minute(runs[item.dataIndex].at), runs[item.dataIndex].what],
              label: (item) => {
                if (item.raw === null) return "sizes not known";
                if (item.datasetIndex) return `sizes explain ${size(item.raw)}`;
                return item.raw < 0 ? `gave back ${size(-item.raw)}` : `used ${size(item.raw)}`;
              },
            },
          },
        },
      },
    };
  };

  const wearChart = (router) => {
    const bins = router.wear.bins;
    if (!bins.length) return null;
    const base = common();
    return {
      type: "bar",
      data: {
        labels: bins.map(([time]) => day(time)),
        datasets: [
          { data: bins.map(([, , ours]) => ours), backgroundColor: colour("teal"), stack: "all", label: "during runs" },
          { data: bins.map(([, others]) => others), backgroundColor: colour("grey"), stack: "all", label: "otherwise" },
        ],
      },
      options: {
        ...base,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: axis({ stacked: true, grid: { display: false } }),
          y: axis({ stacked: true, beginAtZero: true, ticks: { callback: count, precision: 0, maxTicksLimit: 6 } }),
        },
        plugins: { legend: { display: true, position: "bottom", labels: { color: colour("dim"), boxWidth: 10, font: { size: 11 } } } },
      },
    };
  };

  const kinds = {
    free: [freeChart, "no history yet"],
    cost: [costChart, "no update yet"],
    wear: [wearChart, "the router does not say"],
  };
  const routers = JSON.parse(document.getElementById("data").textContent);
  let drawn = [];
  const draw = () => {
    drawn.forEach((chart) => chart.destroy());
    drawn = [];
    for (const router of routers) {
      const place = document.getElementById(router.id);
      place.querySelector("[data-unit]").textContent = router.wear.unit;
      for (const canvas of place.querySelectorAll("canvas")) {
        const [make, without] = kinds[canvas.dataset.chart];
        const made = make(router);
        if (made) {
          drawn.push(new Chart(canvas, made));
        } else {
          canvas.parentElement.classList.add("empty");
          canvas.parentElement.dataset.empty = without;
        }
      }
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

  const wanted = document.getElementById("wanted"), warned = document.getElementById("warned");
  document.querySelector(".filter").hidden = false;
  const filter = () => {
    const text = wanted.value.toLowerCase();
    for (const row of document.querySelectorAll("#routers tbody tr")) {
      row.hidden = !row.dataset.name.toLowerCase().includes(text) || (warned.checked && !row.classList.contains("warned"));
    }
  };
  wanted.addEventListener("input", filter);
  warned.addEventListener("change", filter);
})();
