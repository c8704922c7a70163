// SPDX-License-Identifier: GPL-2.0

//! Directories in `/sys/kernel`.
//!
//! Not supported: directories below those of a [`Group`], events to user space, binary files.
//!
//! C header: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use core::ptr::{
    self,
    NonNull, //
};

use kernel::{
    container_of,
    ffi::{
        c_char,
        CStr, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

use crate::{
    bindings,
    files::{
        self,
        Files, //
    },
};

/// A directory in `/sys/kernel`, there until it is dropped.
///
/// # Invariants
///
/// The pointer is that of a kobject that was added and of which this holds a reference.
pub struct Directory(NonNull<bindings::kobject>);

// SAFETY: A kobject may be used and released by any thread.
unsafe impl Send for Directory {}
// SAFETY: sysfs serialises what changes a directory.
unsafe impl Sync for Directory {}

impl Directory {
    /// Makes an empty directory.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also where there is a directory of this name.
    pub fn new(name: &CStr) -> Result<Arc<Self>> {
        // SAFETY: The name is a C string, which is copied.
        let kobject = unsafe { bindings::knet_sysfs_create_dir(name.as_char_ptr()) };
        let kobject = NonNull::new(kobject).ok_or(ENOMEM)?;

        // INVARIANT: Just added; the reference is the first one. Without memory for the `Arc`, the
        // directory is dropped.
        Ok(Arc::new(Self(kobject), GFP_KERNEL)?)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::knet_sysfs_remove_dir(self.0.as_ptr()) };
    }
}

/// The files of an object in a directory or in a directory below it.
///
/// Dropping it removes the files and waits until nobody is inside a callback, so no lock may be held
/// that a callback takes.
///
/// # Invariants
///
/// - sysfs has the attributes of `nodes`, which stay where they are, from when the group was created
///   until it is dropped.
/// - `attributes` are those of `nodes`, and a null pointer.
pub struct Group<T: Files> {
    directory: Arc<Directory>,
    name: Option<&'static CStr>,
    nodes: KVec<Pin<KBox<Node<T>>>>,
    attributes: KVec<*mut bindings::attribute>,
}

// SAFETY: The pointers are to what `nodes` own, and only sysfs follows them.
unsafe impl<T: Files> Send for Group<T> {}
// SAFETY: A shared reference gives access to nothing.
unsafe impl<T: Files> Sync for Group<T> {}

/// A file.
///
/// # Invariants
///
/// `attribute` is initialised.
#[pin_data]
struct Node<T: Files> {
    #[pin]
    attribute: Opaque<bindings::kobj_attribute>,
    file: T::File,
    object: Arc<T>,
}

impl<T: Files> Group<T> {
    /// Makes the files of `object` in `directory`, or in a new directory `name` there.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EEXIST` where there is a file of one of the names.
    pub fn new(
        directory: Arc<Directory>,
        name: Option<&'static CStr>,
        object: &Arc<T>,
    ) -> Result<Self> {
        let mut nodes = KVec::new();
        let mut attributes = KVec::new();

        for file in T::FILES {
            let node = Node::new(*file, object.clone())?;
            attributes.push(node.init(), GFP_KERNEL)?;
            nodes.push(node, GFP_KERNEL)?;
        }
        attributes.push(ptr::null_mut(), GFP_KERNEL)?;

        // SAFETY: The directory is there; the list ends with null. What it points at is freed only
        // when the group is dropped, or below if there is none.
        crate::to_result(unsafe {
            bindings::knet_sysfs_create_group(
                directory.0.as_ptr(),
                char_ptr(name),
                attributes.as_mut_ptr(),
            )
        })?;

        // INVARIANT: Just created.
        Ok(Self {
            directory,
            name,
            nodes,
            attributes,
        })
    }
}

impl<T: Files> Drop for Group<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the files are there. None is used any more when this
        // returns, so that the nodes may be freed.
        unsafe {
            bindings::knet_sysfs_remove_group(
                self.directory.0.as_ptr(),
                char_ptr(self.name),
                self.attributes.as_mut_ptr(),
            )
        };
        self.nodes.clear();
    }
}

impl<T: Files> Node<T> {
    fn new(file: T::File, object: Arc<T>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                attribute: Opaque::zeroed(),
                file,
                object,
            }),
            GFP_KERNEL,
        )
    }

    /// Initialises the attribute.
    fn init(&self) -> *mut bindings::attribute {
        // INVARIANT: Initialised here.
        // SAFETY: The attribute is zeroed memory that nobody uses yet; the name is static; the
        // callbacks are made for an attribute inside a `Node<T>`.
        unsafe {
            bindings::knet_sysfs_init_file(
                self.attribute.get(),
                T::name(self.file).as_char_ptr(),
                T::mode(self.file),
                Some(show_callback::<T>),
                Some(store_callback::<T>),
            )
        }
    }

    /// The node around an attribute.
    ///
    /// # Safety
    ///
    /// `attribute` is that of a `Node<T>` which lives for `'a`.
    unsafe fn of<'a>(attribute: *mut bindings::kobj_attribute) -> &'a Self {
        let attribute = Opaque::cast_from(attribute.cast_const());

        // SAFETY: By the safety requirements of this function.
        unsafe { &*container_of!(attribute.cast_mut(), Self, attribute) }
    }
}

/// # Safety
///
/// Called by sysfs: `attribute` is that of a `Node<T>` which is not freed meanwhile, and `page` has
/// `PAGE_SIZE` bytes for this call.
unsafe extern "C" fn show_callback<T: Files>(
    _directory: *mut bindings::kobject,
    attribute: *mut bindings::kobj_attribute,
    page: *mut c_char,
) -> isize {
    // SAFETY: By the safety requirements of this function.
    let node = unsafe { Node::<T>::of(attribute) };

    // SAFETY: A page is longer than what is shown at most, and ours for this call.
    unsafe { files::show(&*node.object, node.file, page) }
}

/// # Safety
///
/// Called by sysfs: `attribute` is that of a `Node<T>` which is not freed meanwhile, and `text` has
/// `len` bytes for this call.
unsafe extern "C" fn store_callback<T: Files>(
    _directory: *mut bindings::kobject,
    attribute: *mut bindings::kobj_attribute,
    text: *const c_char,
    len: usize,
) -> isize {
    // SAFETY: By the safety requirements of this function.
    let node = unsafe { Node::<T>::of(attribute) };

    // SAFETY: By the safety requirements of this function.
    unsafe { files::store(&*node.object, node.file, text, len) }
}

/// The name as C takes it: null for none.
fn char_ptr(name: Option<&CStr>) -> *const c_char {
    name.map_or(ptr::null(), |name| name.as_char_ptr())
}
