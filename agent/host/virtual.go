package host

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/exameter/exameter/agent/cpu"
	"github.com/exameter/exameter/telemetry"
)

// virtual tells whether the host is a virtual machine.
//
// On x86 the processor's hypervisor flag decides, so that bare-metal servers of clouds, whose DMI names the cloud, are
// what they are. Elsewhere the hypervisor names itself in /sys/hypervisor, in the device tree or in DMI. A machine with
// a maker and none of those is taken to be real; one that says nothing at all is unknown.
func virtual(roots Roots, board dmi) telemetry.Opt[bool] {
	if strings.Contains(line(roots.Proc, "xen/capabilities"), "control_d") {
		return telemetry.Known(false) // Xen's own control domain sees the hypervisor and is the host
	}
	if h := cpu.Hypervisor(roots.Proc); h.OK {
		return h
	}
	if line(roots.Sys, "hypervisor/type") != "" || exists(roots.Sys, "firmware/devicetree/base/hypervisor") ||
		exists(roots.Sys, "firmware/qemu_fw_cfg") {
		return telemetry.Known(true)
	}
	if board == (dmi{}) {
		return telemetry.Opt[bool]{}
	}
	return telemetry.Known(isHypervisor(board.vendor + " " + board.product))
}

// hypervisors are what the DMI of virtual machines names as maker or product, in lower case.
var hypervisors = []string{
	"qemu", "kvm", "vmware", "virtualbox", "innotek", "xen", "bochs", "parallels", "bhyve", "virtual machine", "openstack",
	"alibaba cloud ecs", "google compute engine", "amazon ec2", "cloudhypervisor", "nutanix ahv", "zstack", "ovirt",
}

func isHypervisor(name string) bool {
	name = strings.ToLower(name)
	if strings.Contains(name, ".metal") {
		return false // a whole server of Amazon EC2
	}
	for _, h := range hypervisors {
		if strings.Contains(name, h) {
			return true
		}
	}
	return false
}

func exists(root, name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}
