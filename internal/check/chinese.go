package check

// chinese are the texts of this package in Chinese. The arguments keep their order and their verbs, which a test holds them to.
var chinese = map[string]string{
	"ok": "正常", "warn": "注意", "FAIL": "失败",
	"secret": "密钥", "service": "服务", "broker": "Kafka 节点", "brokers": "Kafka 节点", "clock": "时钟", "user": "用户",

	"Everything is in place.":                "一切就绪。",
	"To be mended: %d. To be looked at: %d.": "须修复：%d 项。宜查看：%d 项。",
	"It works. To be looked at: %d.":         "可以工作。宜查看：%d 项。",

	"there is no user %s: what follows is what root may, and the service may less": "没有用户 %s：以下按 root 的权限查看，程序的权限更小",
	"systemd-sysusers, where the package is installed":                             "若已安装软件包，运行 systemd-sysusers",
	"looks as %s, as the service does":                                             "以程序的用户 %s 查看",

	"there is no %s":                                 "不存在 %s",
	"write the secret there, or change %s":           "将密钥写入该文件，或修改 %s",
	"everybody on this host may read %s (mode %04o)": "本机所有用户都可读取 %s（权限 %04o）",
	"chown root:exameter %s && chmod 0640 %s, or keep it with root and hand it on by LoadCredential=": "chown root:exameter %s && chmod 0640 %s；或只留给 root，由 LoadCredential= 转交",
	"%s is empty": "%s 为空",

	"inventory has %d partitions and telemetry %d; the two must be equal": "inventory 有 %d 个分区，telemetry 有 %d 个；两者必须相等",
	"kafka-topics.sh --alter --topic %s --partitions %d":                  "kafka-topics.sh --alter --topic %s --partitions %d",
	"delete %s, make it anew (exameter topics create --centre %s --partitions %d --brokers HOST:PORT) and restart the collectors; agents fill it within an hour": "删除 %s，重新创建（exameter topics create --centre %s --partitions %d --brokers HOST:PORT），并重启汇集器；采集器在一小时内重新写满",

	"%s, mode %04o": "%s，权限 %04o",

	"systemd does not run here: whoever starts the program must start it again when it ends": "此处没有运行 systemd：程序退出后，须由启动它的一方重新启动",
	"no unit %s is installed: whoever starts the program must start it again when it ends":   "没有安装单元 %s：程序退出后，须由启动它的一方重新启动",
	"systemctl does not tell about %s: %v":                                                   "systemctl 没有给出 %s 的状态：%v",
	"%s is %s":                                                                               "%s 的状态为 %s",
	"systemctl status %s tells why; systemctl unmask %s where it is masked":                  "用 systemctl status %s 查看原因；若被屏蔽，用 systemctl unmask %s",
	"%s has failed: %s, after %s restarts":                                                   "%s 已失败：%s，重启过 %s 次",
	"journalctl -u %s tells why; then systemctl reset-failed %s && systemctl start %s":       "用 journalctl -u %s 查看原因；然后 systemctl reset-failed %s && systemctl start %s",
	"%s does not run":                                   "%s 没有运行",
	"systemctl enable --now %s":                         "systemctl enable --now %s",
	"%s ends and is started again, %s times so far: %s": "%s 反复退出并重启，已 %s 次：%s",
	"journalctl -u %s tells why":                        "用 journalctl -u %s 查看原因",
	"%s runs, and would not after a boot":               "%s 正在运行，但开机后不会自动启动",
	"systemctl enable %s":                               "systemctl enable %s",
	"%s runs without a watchdog: one that hangs would not be started again": "%s 运行时没有看门狗：卡死后不会被重启",
	"take WatchdogSec=0 out of its drop-ins: systemctl cat %s":              "从其附加配置中去掉 WatchdogSec=0：systemctl cat %s",
	"%s is %s, watchdog %s, %s restarts: %s":                                "%s 状态 %s，看门狗 %s，重启 %s 次：%s",

	"%s: answers; the cluster has %d":                                                                          "%s：有应答；集群共 %d 个节点",
	"none of those configured answers":                                                                         "配置的节点均无应答",
	"mend the name in kafka.brokers, or the resolver: getent hosts NAME":                                       "修正 kafka.brokers 中的名称，或域名解析：getent hosts 名称",
	"nothing listens there: mend kafka.brokers, or start the broker":                                           "该处没有监听：修正 kafka.brokers，或启动 Kafka 节点",
	"name the authority of the broker's certificate in kafka.tls.ca":                                           "在 kafka.tls.ca 中指定签发 Kafka 节点证书的机构",
	"the certificate is for another name: mend kafka.brokers, or say the name in kafka.tls.server_name":        "证书属于另一名称：修正 kafka.brokers，或在 kafka.tls.server_name 中写明名称",
	"the certificate does not hold now: renew it, or set this host's clock":                                    "证书目前无效：更新证书，或校准本机时钟",
	"the broker does not speak TLS at this port: another port in kafka.brokers, or kafka.tls.enabled: false":   "该端口不是 TLS：在 kafka.brokers 中换端口，或设 kafka.tls.enabled: false",
	"mend kafka.sasl: mechanism, username, and the password in password_file":                                  "修正 kafka.sasl：mechanism、username 以及 password_file 中的密码",
	"the broker hung up: it may want kafka.tls or kafka.sasl at this port":                                     "Kafka 节点断开了连接：该端口可能要求 kafka.tls 或 kafka.sasl",
	"see that a firewall lets this host reach the broker, and that the port in kafka.brokers is the right one": "检查防火墙是否放行本机到 Kafka 节点，以及 kafka.brokers 中的端口是否正确",

	"this host's clock is behind the brokers' by more than %s":                          "本机时钟慢于 Kafka 节点，超过 %s",
	"run chrony or systemd-timesyncd, on brokers as well: timedatectl shows the state":  "运行 chrony 或 systemd-timesyncd，Kafka 节点上亦然：timedatectl 显示状态",
	"this client may not ask for times, so the clock is not compared with the brokers'": "此客户端无权查询时间，故未与 Kafka 节点比较时钟",
	"nothing was written within %s, so the clock cannot be compared with the brokers'":  "%s 内没有写入，无法与 Kafka 节点比较时钟",
	"agrees with the brokers' to within %s":                                             "与 Kafka 节点相差不超过 %s",
}
