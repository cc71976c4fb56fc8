// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// judge looks for an order of the operations. Each write without an answer doubles the
// orders that there may be, and most were never done. So it leaves them out at first: if
// there is an order then, they come behind it. If not, it leaves out fewer. It returns why
// not as explain says it.
func judge(operations []porcupine.Operation, patience time.Duration) (result porcupine.CheckResult, info porcupine.LinearizationInfo, why string) {
	end := int64(0)
	for _, o := range operations {
		end = max(end, o.Return)
	}
	endless := func(o porcupine.Operation) bool { return told(o.Output).Status == 0 && o.Return == end }
	removal := func(o porcupine.Operation) bool { return asked(o.Input).Verb == remove }
	for _, leaveOut := range []func(porcupine.Operation) bool{
		endless,
		func(o porcupine.Operation) bool { return endless(o) && !removal(o) },
	} {
		some := slices.DeleteFunc(slices.Clone(operations), leaveOut)
		if result, info = porcupine.CheckOperationsVerbose(model(), some, patience); result == porcupine.Ok {
			return result, info, ""
		}
	}
	result, info = porcupine.CheckOperationsVerbose(model(), operations, patience)
	return result, info, explain(operations, info)
}
