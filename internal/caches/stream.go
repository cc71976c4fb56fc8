// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// A watch that ends within shortWatch is started again after shortPause.
const (
	shortWatch = time.Second
	shortPause = 100 * time.Millisecond
)

// stream is one watch of the informer, made of any number of the API server's watches.
type stream struct {
	*follower
	options metav1.ListOptions
	// initial is true while the informer has asked for all objects and not received
	// all.
	initial bool
	out     chan watch.Event
	ctx     context.Context //nolint:containedctx // of the watch, which is a value to the informer
	cancel  context.CancelFunc
	done    chan struct{}
}

// Stop implements watch.Interface.
func (s *stream) Stop() {
	s.cancel()
	<-s.done
}

// ResultChan implements watch.Interface.
func (s *stream) ResultChan() <-chan watch.Event { return s.out }

func (s *stream) run(inner watch.Interface) {
	defer close(s.done)
	defer close(s.out)
	defer s.cancel()
	for {
		began := time.Now()
		err := s.relay(inner)
		inner.Stop()
		s.report(false)
		if s.ctx.Err() != nil || s.initial {
			return
		}
		if time.Since(began) < shortWatch {
			s.pause()
		}
		if !forgotten(err) {
			inner, err = s.begin(s.ctx, s.from(s.last))
		}
		if forgotten(err) {
			inner, err = s.again()
		}
		if err != nil {
			s.send(watch.Event{Type: watch.Error, Object: statusOf(err)})
			return
		}
	}
}

// pause prevents watches that end at once from being restarted in a tight loop.
func (s *stream) pause() {
	timer := time.NewTimer(shortPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// from returns the options of a watch that continues where another ended.
func (s *stream) from(version string) metav1.ListOptions {
	o := s.options
	o.ResourceVersion, o.ResourceVersionMatch, o.SendInitialEvents, o.AllowWatchBookmarks = version, "", nil, true
	return o
}

// relay forwards events until the watch ends.
func (s *stream) relay(inner watch.Interface) error {
	if !s.initial {
		s.report(true)
	}
	for {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case event, more := <-inner.ResultChan():
			switch {
			case !more:
				return nil
			case event.Type == watch.Error:
				return apierrors.FromObject(event.Object)
			case !s.pass(event):
				return s.ctx.Err()
			case s.initial && endOfInitial(event):
				s.initial = false
				s.report(true)
			}
		}
	}
}

// pass sends one event to the informer and records it.
func (s *stream) pass(event watch.Event) bool {
	key, err := toolscache.MetaNamespaceKeyFunc(event.Object)
	version := versionOf(event.Object) // the informer owns the object once it is sent
	if !s.send(event) {
		return false
	}
	s.last = version
	switch {
	case err != nil || event.Type == watch.Bookmark:
	case event.Type == watch.Deleted:
		delete(s.known, key)
	default:
		s.known[key] = version
	}
	return true
}

func (s *stream) send(event watch.Event) bool {
	select {
	case s.out <- event:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// again starts a watch that begins with all objects, and sends the differences from
// what the informer has: first the deletions, then the changes in their order. So an
// informer that has a version has all versions before it.
func (s *stream) again() (watch.Interface, error) {
	o := s.from("")
	o.SendInitialEvents, o.ResourceVersionMatch = ptr.To(true), metav1.ResourceVersionMatchNotOlderThan
	for {
		inner, err := s.begin(s.ctx, o)
		if err != nil {
			return nil, err
		}
		there, end, err := initialOf(inner)
		if err == nil {
			s.tell(there, end)
			return inner, nil
		}
		inner.Stop()
		if s.ctx.Err() != nil || decisive(err) {
			return nil, err
		}
		s.pause()
	}
}

// initialOf reads the initial objects of a watch, by key.
func initialOf(inner watch.Interface) (there map[string]watch.Event, end watch.Event, err error) {
	there = map[string]watch.Event{}
	for event := range inner.ResultChan() {
		if event.Type == watch.Error {
			return nil, event, apierrors.FromObject(event.Object)
		}
		if endOfInitial(event) {
			return there, event, nil
		}
		if key, err := toolscache.MetaNamespaceKeyFunc(event.Object); err == nil {
			there[key] = event
		}
	}
	return nil, end, errors.New("the watch ended before it had sent all objects")
}

// tell sends the differences to the informer. If the informer is stopped meanwhile, it
// lists again.
func (s *stream) tell(there map[string]watch.Event, end watch.Event) {
	var news []watch.Event
	for key, version := range s.known {
		if _, still := there[key]; !still && !s.pass(watch.Event{Type: watch.Deleted, Object: s.goneObject(key, version)}) {
			return
		}
	}
	for key, event := range there {
		was, had := s.known[key]
		if had {
			event.Type = watch.Modified
		}
		if was != versionOf(event.Object) {
			news = append(news, event)
		}
	}
	slices.SortFunc(news, func(a, b watch.Event) int { return cmp.Compare(number(a), number(b)) })
	for _, event := range append(news, end) {
		if !s.pass(event) {
			return
		}
	}
}

// goneObject stands for a deleted object of which only the name is known.
func (s *stream) goneObject(key, version string) runtime.Object {
	obj := s.example.DeepCopyObject()
	if m, err := meta.Accessor(obj); err == nil {
		namespace, name, _ := toolscache.SplitMetaNamespaceKey(key)
		m.SetNamespace(namespace)
		m.SetName(name)
		m.SetResourceVersion(version)
	}
	return obj
}

func endOfInitial(event watch.Event) bool {
	if event.Type != watch.Bookmark {
		return false
	}
	m, err := meta.Accessor(event.Object)
	return err == nil && m.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
}

func statusOf(err error) runtime.Object {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		return &s
	}
	s := apierrors.NewInternalError(err).Status()
	return &s
}

func versionOf(obj runtime.Object) string {
	m, err := meta.Accessor(obj)
	if err != nil {
		return ""
	}
	return m.GetResourceVersion()
}

func number(event watch.Event) uint64 {
	n, err := strconv.ParseUint(versionOf(event.Object), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func typeName(obj runtime.Object) string { return reflect.Indirect(reflect.ValueOf(obj)).Type().Name() }
