package main

// Texts that several dashboards share.
var (
	noFigures = words{"Unknown: no collector tells fresh figures", "未知：没有汇集器给出最新数据"}
	noTarget  = words{"Unknown: the registry has no target", "未知：登记表中没有目标"}
	noPower   = words{"Unknown: no power is measured", "未知：没有功率实测值"}
	noUse     = words{"Unknown: no activity is measured", "未知：没有利用率实测值"}
)

// states are the lines of capacity by state, over what selects some of it.
func states(metric, matchers string) []query {
	one := func(state string, title words) query {
		return query{expr: `sum(` + metric + `{` + matchers + `state="` + state + `"}) / 1e18`, legend: title}
	}
	return []query{
		one("rated", words{"rated", "额定"}), one("online", words{"online", "在线"}), one("healthy", words{"healthy", "可用"}),
		one("busy", words{"busy", "占用"}), one("free", words{"free", "空闲"}),
	}
}

// eflopsOf is the sum of one state in large.
func eflopsOf(state string, title, about words) panel {
	return panel{
		kind: number, w: 6, h: 7, title: title, about: about, missing: noFigures, unit: eflops, decimals: 3,
		queries: []query{{expr: `sum(exameter:flops{state="` + state + `"}) / 1e18`}},
	}
}

// province is for a wall, and for officials: how much there is, what of it is free, how true that is, and how far the plan.
var province = board{
	name: "province", title: words{"Province", "全省算力"}, from: "now-24h", refresh: "10s",
	about: words{
		"What the province can compute, what of it is free, how true the figures are, and how far the plan is. Unknown is never shown as zero.",
		"全省算力有多少、空闲多少、数据有多可信、目标完成多少。未知的数据从不显示为零。",
	},
	rows: []row{
		{panels: []panel{
			eflopsOf("rated", words{"Rated", "额定算力"}, words{"All devices in inventory times their dense peak: intelligent by FP16, general by FP32, super by FP64.", "所有在册设备乘以其稠密峰值：智能算力按 FP16，通用算力按 FP32，超级算力按 FP64。"}),
			eflopsOf("online", words{"Online", "在线算力"}, words{"On hosts whose last report is fresh. What has fallen silent stands in rated alone.", "主机最近一次上报仍在有效期内的部分。失联的只计入额定。"}),
			eflopsOf("healthy", words{"Healthy", "可用算力"}, words{"Online, and neither faulty nor taken out.", "在线且既非故障也未停用的部分。"}),
			eflopsOf("free", words{"Free", "空闲算力"}, words{"Healthy and without work: what a dispatcher may hand out now.", "可用且没有任务：调度此刻可以分配的部分。"}),
			{
				kind: number, w: 6, h: 7, title: words{"Coverage", "数据覆盖率"}, missing: noFigures, unit: share, decimals: 1, levels: wantsAll,
				about:   words{"Hosts that report, of those in inventory. Below 100 % the online figures are less than there is.", "正在上报的主机占在册主机之比。低于 100 % 时，在线数字少于实际。"},
				queries: []query{{expr: `exameter:coverage_ratio`}},
			},
			{
				kind: number, w: 6, h: 7, title: words{"Oldest report", "最旧数据时延"}, missing: noFigures, unit: seconds, decimals: 1, levels: wantsFresh,
				about:   words{"Age of the oldest report that the online figures rest on. Older ones do not count as online.", "在线数字所依据的最旧一次上报的时延。更旧的不计入在线。"},
				queries: []query{{expr: `max(exameter:report_age_seconds{percentile="max"})`}},
			},
			{
				kind: number, w: 6, h: 7, title: words{"Figures as of", "数据截至"}, missing: noFigures, unit: seconds, decimals: 1, levels: wantsFresh,
				about:   words{"How long ago the figures were summed up.", "这些数字是多久之前汇总的。"},
				queries: []query{{expr: `exameter:as_of_age_seconds`}},
			},
			{
				kind: number, w: 6, h: 7, title: words{"Devices without a price", "峰值未知的设备"}, missing: noFigures, unit: count, levels: wantsNone,
				about:   words{"Devices whose model has no peak in the catalogue: they exist, and are worth no Eflops until someone prices them.", "目录中没有其峰值的设备：设备存在，但在补上峰值之前按 0 Eflops 计。"},
				queries: []query{{expr: `sum(exameter_devices_unpriced and on (job, instance) exameter:reader)`}},
			},
		}},
		{title: words{"The plan", "规划目标"}, panels: []panel{
			{
				kind: number, w: 5, h: 5, title: words{"Target", "目标"}, missing: noTarget, unit: eflops, about: words{"What the plan says shall be there.", "规划要求达到的算力。"},
				queries: []query{{expr: `exameter:target_flops{centre=""} / 1e18`}},
			},
			{
				kind: number, w: 5, h: 5, title: words{"Met", "已达成"}, missing: noTarget, unit: share, decimals: 1,
				levels:  []level{{0, "red"}, {0.5, "orange"}, {1, "green"}},
				about:   words{"What is rated, of the target.", "额定算力占目标之比。"},
				queries: []query{{expr: `sum(exameter:flops{state="rated"}) / on () exameter:target_flops{centre=""}`}},
			},
			{
				kind: number, w: 5, h: 5, title: words{"Short by", "缺口"}, missing: noTarget, unit: eflops, decimals: 3,
				about:   words{"What rated lacks of the target; zero once it is met.", "额定算力距目标的差额；达到之后为零。"},
				queries: []query{{expr: `clamp_min(exameter:target_flops{centre=""} - on () sum(exameter:flops{state="rated"}), 0) / 1e18`}},
			},
			{
				kind: number, w: 4, h: 5, title: words{"Days left", "剩余天数"}, missing: noTarget, unit: days, levels: []level{{0, "red"}, {90, "orange"}, {365, "green"}},
				about:   words{"Until the day by which the target shall be met.", "距目标期限的天数。"},
				queries: []query{{expr: `floor((exameter:target_timestamp_seconds{centre=""} - time()) / 86400)`}},
			},
			{
				kind: number, w: 5, h: 5, title: words{"Needed a month", "每月需新增"}, missing: noTarget, unit: eflops, decimals: 3,
				about:   words{"What has to be added each month of 30 days for the target to be met in time.", "按期完成目标每月（30 天）须新增的算力。"},
				queries: []query{{expr: `clamp_min(exameter:target_flops{centre=""} - on () sum(exameter:flops{state="rated"}), 0) / 1e18 / on () (clamp_min(exameter:target_timestamp_seconds{centre=""} - time(), 86400) / 2592000)`}},
			},
		}},
		{title: words{"What it is made of", "构成"}, panels: []panel{
			{
				kind: number, w: 6, h: 5, title: words{"Intelligent share", "智能算力占比"}, missing: noFigures, unit: share, decimals: 1,
				about:   words{"Of the rated Eflops, those of accelerators by FP16.", "额定算力中加速卡（按 FP16）所占之比。"},
				queries: []query{{expr: ratio(`sum(exameter:flops{class="intelligent",state="rated"})`, `sum(exameter:flops{state="rated"})`)}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Domestic share", "国产化率"}, missing: noFigures, unit: share, decimals: 1,
				about:   words{"Of the rated Eflops, those of models designed in China. Models of which the catalogue does not say it count as not domestic.", "额定算力中国产型号所占之比。目录未说明来源的型号不计为国产。"},
				queries: []query{{expr: ratio(`sum(exameter:origin_flops{origin="domestic"})`, `sum(exameter:origin_flops)`)}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Origin unknown", "来源未知"}, missing: noFigures, unit: share, decimals: 1, levels: wantsZero,
				about:   words{"By how much the domestic share may be too low.", "国产化率至多低估的幅度。"},
				queries: []query{{expr: ratio(`sum(exameter:origin_flops{origin="unknown"})`, `sum(exameter:origin_flops)`)}},
			},
			{
				kind: bars, w: 6, h: 5, title: words{"By class", "按类别"}, missing: noFigures, unit: eflops, decimals: 3, about: words{"Rated Eflops by class.", "各类别的额定算力。"},
				queries: []query{{expr: `sum by (class) (exameter:flops{state="rated"}) / 1e18`, legend: same("{{class}}")}},
			},
		}},
		{title: words{"How it went", "变化"}, panels: []panel{
			{
				kind: lines, w: 16, h: 12, title: words{"Eflops and the plan", "算力与目标"}, missing: noFigures, unit: eflops, decimals: 2,
				about: words{"A gap is a time of which nothing is known.", "中断处为没有数据的时段。"},
				queries: append(states("exameter:flops", ""), query{
					expr: `exameter:target_flops{centre=""} / 1e18`, legend: words{"target", "目标"}, dashed: true,
				}),
			},
			{
				kind: bars, w: 8, h: 12, title: words{"Online by centre", "各中心在线算力"}, missing: noFigures, unit: eflops, decimals: 3, about: words{"Online Eflops of each centre.", "各算力中心的在线算力。"},
				queries: []query{{expr: `sort_desc(sum by (centre) (exameter:centre_flops{state="online"})) / 1e18`, legend: same("{{centre}}")}},
			},
		}},
		{title: words{"Use and power", "使用与能耗"}, panels: []panel{
			{
				kind: number, w: 6, h: 5, title: words{"Allocated", "分配率"}, missing: noFigures, unit: share, decimals: 1, about: words{"Busy Eflops, of the healthy ones.", "占用算力占可用算力之比。"},
				queries: []query{{expr: ratio(`sum(exameter:flops{state="busy"})`, `sum(exameter:flops{state="healthy"})`)}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Utilisation of accelerators", "加速卡利用率"}, missing: noUse, unit: share, decimals: 1,
				about:   words{"Busy-weighted nameplate: how active devices are, weighted by their peaks. It is not the flop/s that programs get.", "按峰值加权的设备活跃度，并非程序实际得到的算力。"},
				queries: []query{{expr: `exameter:utilisation_ratio{class="intelligent"}`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Power", "功率"}, missing: noPower, unit: watts, decimals: 2,
				about:   words{"Measured power of online devices. That of devices without a meter is not in it.", "在线设备的实测功率。没有测量的设备不在其中。"},
				queries: []query{{expr: `sum(exameter:power_watts)`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Power measured of", "功率已测比例"}, missing: noPower, unit: share, decimals: 1, levels: []level{{0, "red"}, {0.5, "orange"}, {0.9, "green"}},
				about:   words{"Devices whose power is measured, of those online.", "有功率实测值的设备占在线设备之比。"},
				queries: []query{{expr: ratio(`sum(exameter_power_devices and on (job, instance) exameter:reader)`, `sum(exameter:devices{state="online"})`)}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Utilisation by class", "各类别利用率"}, missing: noUse, unit: share, decimals: 0, most: 1, about: words{"Busy-weighted nameplate.", "按峰值加权的设备活跃度。"},
				queries: []query{{expr: `exameter:utilisation_ratio`, legend: same("{{class}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Power by class", "各类别功率"}, missing: noPower, unit: watts, decimals: 2, stacked: true, about: words{"Measured power of online devices.", "在线设备的实测功率。"},
				queries: []query{{expr: `exameter:power_watts`, legend: same("{{class}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Peak for each watt", "每瓦峰值算力"}, missing: noPower, unit: gflopsW, decimals: 1,
				about:   words{"Peak of the devices whose power is measured, for each watt that they draw.", "有功率实测值的设备，其峰值算力与功率之比。"},
				queries: []query{{expr: `exameter:flops_per_watt / 1e9`, legend: same("{{class}}")}},
			},
		}},
		{title: words{"Centres", "算力中心"}, panels: []panel{{
			kind: table, w: 24, h: 14, title: words{"Centres", "算力中心"}, missing: noFigures, about: words{"One line a centre. An empty cell is unknown.", "每行一个中心。空格为未知。"},
			queries: []query{
				{expr: `exameter:centre_info`},
				{expr: `sum by (centre) (exameter:centre_flops{state="rated"}) / 1e18`},
				{expr: `sum by (centre) (exameter:centre_flops{state="online"}) / 1e18`},
				{expr: `sum by (centre) (exameter:centre_flops{state="free"}) / 1e18`},
				{expr: `exameter:centre_coverage_ratio`},
				{expr: `max by (centre) (exameter:report_age_seconds{percentile="max"})`},
				{expr: `max by (centre) (exameter:centre_utilisation_ratio{class="intelligent"})`},
				{expr: `sum by (centre) (exameter:centre_power_watts)`},
				{expr: `sum by (centre) (exameter:centre_declared_flops{precision="class"}) / 1e18`},
			},
			columns: []column{
				{name: "centre", title: words{"Centre", "编号"}},
				{name: "name_en", title: words{"Name", "英文名"}},
				{name: "name_zh", title: words{"Chinese name", "名称"}},
				{name: "status", title: words{"Status", "建设状态"}},
				{name: "Value #B", title: words{"Rated", "额定"}, unit: eflops},
				{name: "Value #C", title: words{"Online", "在线"}, unit: eflops},
				{name: "Value #D", title: words{"Free", "空闲"}, unit: eflops},
				{name: "Value #E", title: words{"Coverage", "覆盖率"}, unit: share, levels: wantsAll},
				{name: "Value #F", title: words{"Oldest report", "最旧数据时延"}, unit: seconds, levels: wantsFresh},
				{name: "Value #G", title: words{"Utilisation", "利用率"}, unit: share},
				{name: "Value #H", title: words{"Power", "功率"}, unit: watts},
				{name: "Value #I", title: words{"Declared", "申报"}, unit: eflops},
			},
		}}},
	},
}
