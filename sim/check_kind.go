package sim

// Evidence is who must tell for a check to be judged.
type Evidence uint8

// The sources of evidence.
const (
	FromDevices Evidence = iota // the devices themselves, whatever the target is
	FromFarEnd                  // what receives or stores messages behind the target
	FromMetric                  // who sees the check's Metric
	FromColumn                  // who sees the check's Column of the account
	FromAnswers                 // who sees the answers to commands
	FromBrokers                 // several brokers, each seen on its own
	FromMeter                   // who meters what the check's Service uses
	FromFigures                 // the check's Service, by the figures that it tells of itself
	FromBurden                  // the devices, of a target that gets slower the more of them there are
)

// CheckTraits is what others than its judge have to know of a kind of check.
type CheckTraits struct {
	Evidence Evidence
	Timely   bool // its limit is a time, and it has no bound of its own: within it is good
	Stands   bool // it fails for no reason that a takeover of devices by another worker gave
}

// Traits are those of the kind; of one that this version does not know, the devices tell.
func (k CheckKind) Traits() CheckTraits {
	switch k {
	case CheckLatency, CheckRelative:
		return CheckTraits{Evidence: FromMetric}
	case CheckDelivered, CheckLost, CheckDuplicates, CheckOrder:
		return CheckTraits{Evidence: FromFarEnd, Stands: true}
	case CheckAdmitted:
		return CheckTraits{Evidence: FromFarEnd, Stands: true}
	case CheckHeard:
		return CheckTraits{Evidence: FromFarEnd, Timely: true}
	case CheckAccount:
		return CheckTraits{Evidence: FromColumn}
	case CheckAnswered:
		return CheckTraits{Evidence: FromAnswers}
	case CheckUsage:
		return CheckTraits{Evidence: FromMeter}
	case CheckFigure, CheckAsked:
		return CheckTraits{Evidence: FromFigures}
	case CheckCarries:
		return CheckTraits{Evidence: FromBurden}
	case CheckSpread:
		return CheckTraits{Evidence: FromBrokers}
	case CheckConnected, CheckRecovery, CheckSchedule, CheckSettled:
		return CheckTraits{Timely: true}
	case CheckReaches, CheckShared, CheckReceives, CheckLate, CheckWills, CheckNoWill:
		return CheckTraits{Stands: true}
	case CheckRate, CheckAttempts, CheckPeak, CheckTraffic, CheckReconnects, CheckErrors, CheckFailures, CheckHandshakes, CheckState, CheckOneSession, CheckNotTaken:
	}
	return CheckTraits{}
}
