// What the page says, in English and Chinese. {place|how} stands for a figure of the API's answers, {name} for an argument.

const en = {
  comma: ", ", unknown: "unknown", skip: "Skip to the figures", sections: "Lists", flags: "What keeps the number from being the whole truth",
  token: "This collector answers only those who show a token. The token is kept until this tab is closed.", token_use: "Use it",
  wall: "Wall", wall_leave: "Leave wall", theme_auto: "Theme: system", theme_light: "Theme: light", theme_dark: "Theme: dark",
  waiting: "Nothing has been read yet", waiting_why: "Nothing has been read yet. {why}", live: "Live", quiet: "Nothing new since {time}", lost: "Not live since {time}",
  as_of_time: "as of {time}", last_known: "Last known at {time}: not live",
  became_live: "The figures are live.", became_lost: "The figures are not live any more.", became_quiet: "Nothing new has come for a while.",
  now: "Online now",
  beside: "{capacity.total.eflops.rated|eflops} Eflops rated · {capacity.total.devices.online|count} of {capacity.total.devices.rated|count} accelerators online",
  target: "The plan", target_of: "of {centres.province.observed.target.eflops|round} Eflops by {centres.province.observed.target.date|text} is rated",
  target_note: "{centres.province.observed.target.short_by|eflops} Eflops are lacking; {centres.province.observed.target.online_share|share} is online.",
  free: "Free", busy: "Busy", drained: "Drained", faulty: "Faulty", stale: "Silent",
  states_note: "Eflops, and accelerators: dense nameplate, each by the precision of its class. The five make up what is rated; silent ones are not online.",
  evidence: "Evidence", as_of: "As of", coverage: "Coverage", hosts: "hosts", report_age: "Age of reports (p50)", max: "max", parts: "Parts up to date", oldest: "oldest",
  revision: "Revision", catalogue: "Catalogue", rule: "Rule", registry: "registry",
  founded: "What peaks rest on", founded_note: "Rated Eflops by how well founded the catalogue's peaks are. Third party and unsure are estimates.",
  "c:datasheet": "Datasheet", "c:vendor page": "Vendor's page", "c:third party": "Third party", "c:unsure": "Unsure", "c:unknown": "Unknown row", "c:unpriced": "Unpriced", devices_n: "{n} devices",
  classes: "By class", classes_note: "Rated Eflops, processors included. Intelligent by FP16, general by FP32, super by FP64, unless the registry says otherwise.",
  intelligent: "Intelligent", general: "General", super: "Super",
  origin: "Domestic share", domestic: "Designed in China", foreign: "Designed elsewhere", unknown_origin: "Unknown origin", origin_note: "Rated Eflops by where models are designed.",
  utilisation: "Utilisation", activity_sm: "by activity of multiprocessors", activity_utilisation: "by share of time in use", activity_unknown: "not measured, left out",
  utilisation_note: "Busy-weighted nameplate of healthy accelerators, not achieved throughput.",
  power: "Power", power_known: "Known for", per_watt: "Per watt", per_is: "{n} Tflop/s", per_most: "at most {n} Tflop/s", per_least: "at least {n} Tflop/s", per_about: "about {n} Tflop/s",
  power_note: "Mean power of the accelerators that tell it, of those online. Per watt is what is online over that; about, where the power of some and the peak of others is unknown.",
  history: "The last day", as_table: "As a table", kept_none: "No history is kept yet.", at: "At", rated: "Rated", online: "Online",
  chart: "Eflops from {from} to {to}. Last: {rated} rated, {online} online, {busy} busy. Online was {least} at least and {most} at most.",
  search: "Search centres, pools, models, vendors, faults", found: "{n} lines match", found_one: "1 line matches", found_none: "Nothing matches",
  centres: "Centres", pools: "Pools", models: "Models", vendors: "Vendors", faults: "Faults",
  centres_caption: "Centres: what is observed of them beside what they declared", pools_caption: "Pools: the smallest parts that work is sent to", models_caption: "Models of accelerators", vendors_caption: "Vendors of accelerators",
  faults_caption: "Faulty accelerators and why",
  faults_note: "{capacity.total.devices.faulty|count} accelerators are faulty, on {faults.matching|count} hosts.",
  faults_first: "The devices of {n} hosts are listed.", faults_missing: "Not listed, as a collector did not answer: {parts}.", faults_none: "No accelerator is faulty.",
  centre: "Centre", cluster: "Cluster", model: "Model", vendor: "Vendor", host: "Host", device: "Device", reason: "Reason", states: "States", declared: "Declared", devices: "Devices", free_devices: "Free devices", memory: "Memory, GiB", peak: "FP16 peak, Tflop/s",
  planned: "planned", building: "being built", operating: "operating", silent: "silent", no_device: "no accelerator known", unregistered: "not registered", unpriced: "unpriced", partly_unpriced: "partly unpriced",
  declared_is: "{share} of {eflops} ({precision}, {date})", declared_none: "nothing declared",
  show_all: "Show all {n}", show_less: "Show less", none: "None", by_class: "by class",
  trouble: "This part could not be read: {why}",
  why_none: "The collector does not answer.", why_says: "The collector says: {detail} ({status})", why_silent: "The connection fell silent.",
  f_cut: "The collector is cut off from its log and does not know what is online.",
  f_behind: "{n} of {total} parts are behind: nobody publishes them, and they stand as they were, the oldest for {s}.",
  f_clock: "These figures are {s} behind the collector's clock.",
  f_none: "No host reports: 0 of {rated}.",
  f_coverage: "Only {share} of the hosts report: {online} of {rated}.",
  f_stale: "{n} accelerators ({eflops} Eflops) are on hosts that fell silent: rated, and not online.",
  f_age: "Some of the reports that were summed are old: {s} at most.",
  f_unpriced: "{n} accelerators have no peak in the catalogue and are worth nothing in this number.",
  f_estimated: "{third} Eflops rated rest on peaks that third parties give, {unsure} on unsure ones: estimates.",
  f_centres: "Silent: {names}.", f_more: "{names} and {n} more",
  f_mixed: "Collectors work by different catalogues, registries or rules at the moment.",
  footer: "Every figure is the collector's own answer, rounded.", api: "The API", metrics: "Metrics",
};

const zh = {
  comma: "、", unknown: "未知", skip: "跳到数据", sections: "列表", flags: "此数字尚有哪些不足",
  token: "此汇集器只答复出示令牌的请求。令牌保留到关闭此标签页为止。", token_use: "使用",
  wall: "大屏", wall_leave: "退出大屏", theme_auto: "主题：跟随系统", theme_light: "主题：浅色", theme_dark: "主题：深色",
  waiting: "尚未读到任何数据", waiting_why: "尚未读到任何数据。{why}", live: "实时", quiet: "自 {time} 起无新数据", lost: "自 {time} 起非实时",
  as_of_time: "截至 {time}", last_known: "最后一次数据为 {time}，非实时",
  became_live: "数据正在实时更新。", became_lost: "数据已停止实时更新。", became_quiet: "已有一段时间没有新数据。",
  now: "当前在线算力",
  beside: "额定 {capacity.total.eflops.rated|eflops} Eflops · 加速卡在线 {capacity.total.devices.online|count} / {capacity.total.devices.rated|count}",
  target: "规划目标", target_of: "额定 / 目标 {centres.province.observed.target.eflops|round} Eflops（{centres.province.observed.target.date|text}）",
  target_note: "尚缺 {centres.province.observed.target.short_by|eflops} Eflops；在线占目标 {centres.province.observed.target.online_share|share}。",
  free: "空闲", busy: "占用", drained: "停用", faulty: "故障", stale: "失联",
  states_note: "单位 Eflops，下为加速卡数：稠密峰值，各按其类别的精度。五项之和即额定；失联不计入在线。",
  evidence: "依据", as_of: "截至", coverage: "覆盖率", hosts: "台主机", report_age: "数据时延（p50）", max: "最大", parts: "正常更新的分区", oldest: "最旧",
  revision: "版本", catalogue: "目录", rule: "核算规则", registry: "登记表",
  founded: "峰值的出处", founded_note: "按目录中峰值的可信度划分额定 Eflops。第三方与存疑的为估计值。",
  "c:datasheet": "数据手册", "c:vendor page": "厂商网页", "c:third party": "第三方", "c:unsure": "存疑", "c:unknown": "无此条目", "c:unpriced": "峰值未知", devices_n: "{n} 个设备",
  classes: "按类别", classes_note: "额定 Eflops，含处理器。智能按 FP16，通用按 FP32，超算按 FP64，登记表另有规定的除外。",
  intelligent: "智能算力", general: "通用算力", super: "超级算力",
  origin: "国产占比", domestic: "国产", foreign: "非国产", unknown_origin: "来源未知", origin_note: "按型号设计地划分的额定 Eflops。",
  utilisation: "利用率", activity_sm: "按多处理器活跃度", activity_utilisation: "按占用时间比例", activity_unknown: "未测量，未计入",
  utilisation_note: "可用加速卡按峰值加权的繁忙程度，并非实际达到的吞吐量。",
  power: "功率", power_known: "有实测", per_watt: "每瓦", per_is: "{n} Tflop/s", per_most: "至多 {n} Tflop/s", per_least: "至少 {n} Tflop/s", per_about: "约 {n} Tflop/s",
  power_note: "在线加速卡中上报功率者的平均功率之和。每瓦为在线算力除以该功率；部分功率与峰值未知时仅为约数。",
  history: "最近一天", as_table: "以表格显示", kept_none: "尚无历史数据。", at: "时刻", rated: "额定", online: "在线",
  chart: "{from} 至 {to} 的 Eflops。最近：额定 {rated}，在线 {online}，占用 {busy}。在线最低 {least}，最高 {most}。",
  search: "搜索算力中心、资源池、型号、厂商、故障", found: "{n} 行符合", found_one: "1 行符合", found_none: "没有符合的内容",
  centres: "算力中心", pools: "资源池", models: "型号", vendors: "厂商", faults: "故障",
  centres_caption: "算力中心：观测值与申报值", pools_caption: "资源池：派发任务的最小单位", models_caption: "加速卡型号", vendors_caption: "加速卡厂商",
  faults_caption: "故障的加速卡及原因",
  faults_note: "{capacity.total.devices.faulty|count} 块加速卡故障，分布在 {faults.matching|count} 台主机上。",
  faults_first: "列出了 {n} 台主机的设备。", faults_missing: "有汇集器未应答，以下分区未列出：{parts}。", faults_none: "没有加速卡故障。",
  centre: "算力中心", cluster: "集群", model: "型号", vendor: "厂商", host: "主机", device: "设备", reason: "原因", states: "状态", declared: "申报", devices: "设备数", free_devices: "空闲设备", memory: "显存 GiB", peak: "FP16 峰值 Tflop/s",
  planned: "规划", building: "在建", operating: "运营", silent: "失联", no_device: "无已知加速卡", unregistered: "未登记", unpriced: "峰值未知", partly_unpriced: "部分峰值未知",
  declared_is: "达 {eflops} 的 {share}（{precision}，{date}）", declared_none: "未申报",
  show_all: "显示全部 {n} 行", show_less: "收起", none: "无", by_class: "按类别",
  trouble: "此部分未能读取：{why}",
  why_none: "汇集器没有应答。", why_says: "汇集器答复：{detail}（{status}）", why_silent: "连接已无响应。",
  f_cut: "汇集器与其日志断开，不知当前在线情况。",
  f_behind: "有 {n} 个分区滞后（共 {total} 个）：目前无人发布，保持原值，最旧的已有 {s}。",
  f_clock: "这些数字比汇集器的时钟落后 {s}。",
  f_none: "没有主机上报：0 / {rated}。",
  f_coverage: "仅有 {share} 的主机在上报：{online} / {rated}。",
  f_stale: "{n} 块加速卡（{eflops} Eflops）所在主机失联：计入额定，不计入在线。",
  f_age: "部分计入的上报较旧：最旧 {s}。",
  f_unpriced: "{n} 块加速卡在目录中没有峰值，在此数字中不计算力。",
  f_estimated: "额定中有 {third} Eflops 的峰值出自第三方，{unsure} Eflops 的存疑：均为估计值。",
  f_centres: "失联：{names}。", f_more: "{names}等，另有 {n} 个",
  f_mixed: "目前各汇集器所用的目录、登记表或规则不一致。",
  footer: "所有数字均为汇集器的答复，仅作舍入。", api: "API", metrics: "指标",
};

export const languages = { en, zh };

let words = en;

export function use(language) {
  words = languages[language];
}

// sentence is a sentence as it stands, placeholders and all.
export function sentence(key) {
  return words[key] ?? key;
}

// t is a sentence with its arguments.
export function t(key, args = {}) {
  return sentence(key).replace(/\{(\w+)\}/g, (all, name) => args[name] ?? all);
}
