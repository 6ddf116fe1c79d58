package main

// chineseHeads are the headings of columns in Chinese.
var chineseHeads = map[string]string{
	"AGE": "数据时延", "AT": "时刻", "BUSY": "占用", "BY": "期限", "CENTRE": "算力中心", "CLASS": "类别", "CLUSTER": "集群", "COVERAGE": "覆盖率",
	"DECLARED": "申报", "DEVICE": "设备", "DEVICES": "设备数", "DOMESTIC": "国产", "DRAINED": "停用", "EFLOPS": "Eflops", "FAULTY": "故障", "FITS": "可容纳",
	"FREE": "空闲", "GANGS": "可用组", "HEALTHY": "可用", "HOST": "主机", "HOSTS": "主机数", "IDENTIFIER": "标识", "KIND": "类型", "MEMORY": "显存", "MODEL": "型号",
	"MODELS": "型号", "MET": "达成", "NAME": "名称", "NEEDED": "所需组", "ON": "申报日", "ONLINE": "在线", "POWER": "功率", "RANK": "序", "RATED": "额定", "REASON": "原因",
	"SHARE": "占比", "SHORT": "缺口", "STALE": "失联", "STATE": "状态", "STATUS": "建设状态", "TARGET": "目标", "UTIL": "利用率", "VENDOR": "厂商",
}

// inChinese are sentences and words in Chinese. The arguments keep their order and their verbs, which a test holds them to.
var inChinese = map[string]string{
	"total": "合计", "unpriced": "峰值未知", "yes": "是", "no": "否",
	"busy": "占用", "free": "空闲", "drained": "停用", "faulty": "故障", "stale": "失联",
	"planned": "规划", "building": "在建", "operating": "运营",
	"uninventoried": "无清单", "contested": "有争议", "unsettled": "待裁定",
	"1 device": "1 个设备", "%d devices": "%d 个设备", "1 host": "1 台主机", "%d hosts": "%d 台主机",
	" for their class": "（按其类别）", " for %s": "（%s）",

	"Eflops, dense peak, precision %s, kind %s; as of %s, revision %d, catalogue %s": "单位 Eflops，稠密峰值，精度 %s，类型 %s；截至 %s，版本 %d，目录 %s",
	"as of %s, revision %d": "截至 %s，版本 %d",

	"No device is known: no host has reported, or nothing matches the filters.":                                    "没有已知设备：尚无主机上报，或没有符合筛选条件的设备。",
	"Unpriced: %s of %d have no peak%s in the catalogue and count as 0 Eflops%s. See exameter catalog --unpriced.": "峰值未知：%s（共 %d 个）在目录中没有峰值%s，按 0 Eflops 计%s。参见 exameter catalog --unpriced。",
	"Stale: %s (%s Eflops) on %s fell silent, and stand in rated alone%s.":                                         "失联：%s（%s Eflops）所在的 %s停止上报，只计入额定%s。",
	"Out of use: %d faulty (%s Eflops), %d drained (%s Eflops).":                                                   "不可用：故障 %d 个（%s Eflops），停用 %d 个（%s Eflops）。",
	"Power is measured for %d of %d online devices (+); the others' is unknown.":                                   "在线设备中有功率实测值的为 %d 个（共 %d 个，以 + 标记）；其余未知。",
	"Behind: nobody publishes %d of %d parts at the moment; they stand as they were, the oldest for %s.":           "滞后：目前有 %d 个分区（共 %d 个）无人发布，保持原值，最旧的已有 %s。",
	"These figures are %s old: the collector stopped folding, or one of the clocks is wrong.":                      "这些数字已是 %s 之前的：汇集器停止了汇总，或某个时钟有误。",
	"Origin: domestic %s, foreign %s, unknown %s of the rated Eflops; %d, %d and %d of the devices.":               "来源：额定 Eflops 中国产 %s，非国产 %s，未知 %s；设备数分别为 %d、%d 和 %d。",
	"No pool matches.": "没有符合条件的资源池。",
	"These are %d of %d pools: --limit gives more.":                       "列出了 %d 个资源池（共 %d 个）：用 --limit 列出更多。",
	"GANGS: groups of %d devices that are free on one host each.":         "可用组：每组 %d 个设备，同在一台主机上且全部空闲。",
	"it fits nowhere: no pool matches":                                    "无处可放：没有符合条件的资源池",
	"it fits nowhere: the best pool %s":                                   "无处可放：最好的资源池%s",
	"needs %d gangs of %d and has %d":                                     "需要 %d 组（每组 %d 个），现有 %d 组",
	"It fits in %d of %d pools.":                                          "可放入 %d 个资源池（共 %d 个）。",
	"It fits in no pool.":                                                 "没有资源池放得下。",
	"No host matches.":                                                    "没有符合条件的主机。",
	"There are more than these: --limit gives more.":                      "不止这些：用 --limit 列出更多。",
	"There are more hosts than these %d: --limit gives more, up to 1000.": "不止这 %d 台主机：用 --limit 列出更多，至多 1000。",
	"Missing: the owners of these parts did not answer, and their hosts are not in the list: %s.": "缺失：以下分区的汇集器没有应答，其主机不在列表中：%s。",
	"The province's target is %s Eflops by %s; %s of it are rated, and %s Eflops are lacking.":    "全省目标：%s Eflops，期限 %s；额定已达 %s，尚缺 %s Eflops。",
	"Nothing is kept of that time.": "没有保存该时段的数据。",
	"Not counted, or for nothing":   "未计入，或计为零",
	"Rules":                         "规则",
	"Hosts, for example":            "主机示例",
	"%d more pools are in the sums and not in this list.": "另有 %d 个资源池已计入总和，未在此列出。",
	"The hosts of %s, part %d, are missing: %s":           "缺少 %s 第 %d 分区的主机：%s",
	"Rule of accounting %s, registry %s.":                 "核算规则 %s，登记表 %s。",
	"%s Eflops rated, %s free; %s, %d of them free":       "额定 %s Eflops，空闲 %s；%s，其中空闲 %d 个",
	"The catalogue does not know the model.":              "目录中没有该型号。",
	"The catalogue that was asked has no row %s.":         "所查目录中没有 %s 一行。",
	"%s, %s: %s": "%s，%s：%s",
	"(from catalogue %s, which is not the one that priced it)": "（取自目录 %s，并非计算所用的目录）",
	"an unknown number of devices":                             "数目未知的设备",

	"%s Eflops rest on peaks of confidence %q (%s)": "%s Eflops 所依据的峰值可信度为 %q（%s）",

	"… %d more lines": "……另有 %d 行",

	"%d dashboards written to %s": "已将 %d 个仪表盘写入 %s",
}
