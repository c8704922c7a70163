// SPDX-License-Identifier: GPL-2.0

//! A configfs subsystem with one directory in which user space makes items.
//!
//! Not supported: items that have items, symbolic links, binary files, more than 16 files to an
//! item.
//!
//! C header: [`include/linux/configfs.h`](srctree/include/linux/configfs.h)

use core::{
    marker::PhantomData,
    ptr,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};

use kernel::{
    container_of,
    ffi::{
        c_char,
        CStr, //
    },
    init::InPlaceInit,
    prelude::*,
    types::Opaque,
    ThisModule, //
};

use crate::{
    bindings,
    files::{
        self,
        Files, //
    },
};

/// The items of a subsystem.
pub trait Items: Send + Sync + 'static {
    /// An item: a directory with the files of this object.
    type Item: Files;

    /// An item for a new directory `name`, which no other has.
    ///
    /// Context: process; may sleep. Not called twice at once, nor together with [`Items::removed`].
    ///
    /// # Errors
    ///
    /// Refuses the directory.
    fn make(&self, name: &CStr) -> Result<impl PinInit<Self::Item, Error>>;

    /// Called when the directory of `item` is gone and no file callback of it runs, nor will. It is
    /// dropped thereafter.
    ///
    /// Context: process; may sleep.
    fn removed(&self, item: &Self::Item);
}

/// A registered subsystem. While an item exists, the module cannot be unloaded.
///
/// Dropping it unregisters it and waits until nobody is inside a callback. There must be no item
/// then, which is certain where a module is unloaded, and is not where loading fails: register the
/// subsystem last.
///
/// # Invariants
///
/// Where `is_registered`, `subsystem` is, and `group` is in it as a directory that is always there.
/// Both and the items refer to `types`.
#[pin_data(PinnedDrop)]
pub struct Subsystem<T: Items> {
    #[pin]
    subsystem: Opaque<bindings::configfs_subsystem>,
    #[pin]
    group: Opaque<bindings::config_group>,
    types: KBox<Types<T>>,
    items: T,
    /// Not so only where registering failed.
    is_registered: AtomicBool,
}

// SAFETY: configfs serialises what it does with the groups; nothing else gives access to them.
unsafe impl<T: Items> Send for Subsystem<T> {}
// SAFETY: A shared reference gives access to `items` only, which is `Sync`.
unsafe impl<T: Items> Sync for Subsystem<T> {}

impl<T: Items> Subsystem<T> {
    /// Registers `/sys/kernel/config/NAME/DIRECTORY/`, in which user space may make items.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EEXIST` where there is a subsystem of this name; `E2BIG` for too many files.
    pub fn new<'a>(
        name: &'a CStr,
        directory: &'a CStr,
        items: T,
        module: &'static ThisModule,
    ) -> impl PinInit<Self, Error> + use<'a, T> {
        try_pin_init!(Self {
            // INVARIANT: Not registered yet.
            subsystem: Opaque::zeroed(),
            group: Opaque::zeroed(),
            types: Types::new(module)?,
            items,
            is_registered: AtomicBool::new(false),
        })
        .pin_chain(move |this| {
            // SAFETY: Both groups are zeroed memory that does not move and outlives the
            // registration, and so do the types. The callbacks of the types are made for a group
            // inside a `Subsystem<T>` that is initialised, as this one is.
            crate::to_result(unsafe {
                bindings::knet_configfs_register(
                    this.subsystem.get(),
                    name.as_char_ptr(),
                    &this.types.subsystem,
                    this.group.get(),
                    directory.as_char_ptr(),
                    &this.types.group,
                )
            })?;
            // INVARIANT: Just registered.
            this.is_registered.store(true, Ordering::Relaxed);
            Ok(())
        })
    }

    /// The subsystem around a group.
    ///
    /// # Safety
    ///
    /// `group` is that of a `Subsystem<T>` which lives for `'a`.
    unsafe fn of<'a>(group: *mut bindings::config_group) -> &'a Self {
        let group = Opaque::cast_from(group.cast_const());

        // SAFETY: By the safety requirements of this function.
        unsafe { &*container_of!(group.cast_mut(), Self, group) }
    }
}

#[pinned_drop]
impl<T: Items> PinnedDrop for Subsystem<T> {
    fn drop(self: Pin<&mut Self>) {
        if !self.is_registered.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: By the type invariants it is registered.
        unsafe { bindings::knet_configfs_unregister(self.subsystem.get()) };
    }
}

/// What configfs knows of the directories: their files and callbacks.
///
/// # Invariants
///
/// `item` refers to `list`, which refers to `attributes` and ends with null.
struct Types<T: Items> {
    subsystem: bindings::config_item_type,
    group: bindings::config_item_type,
    item: bindings::config_item_type,
    _list: KVec<*mut bindings::configfs_attribute>,
    _attributes: KVec<bindings::configfs_attribute>,
    _items: PhantomData<fn(T)>,
}

impl<T: Items> Types<T> {
    const GROUP_OPERATIONS: bindings::configfs_group_operations =
        bindings::configfs_group_operations {
            make_item: Some(make_callback::<T>),
            make_group: None,
            disconnect_notify: None,
            drop_item: Some(drop_callback::<T>),
            is_visible: None,
            is_bin_visible: None,
        };
    const ITEM_OPERATIONS: bindings::configfs_item_operations =
        bindings::configfs_item_operations {
            release: Some(release_callback::<T>),
            allow_link: None,
            drop_link: None,
        };

    fn new(module: &'static ThisModule) -> Result<KBox<Self>> {
        let owner: *mut bindings::module = module.as_ptr().cast();
        let mut attributes = attributes::<T::Item>(owner)?;
        let mut list = KVec::new();
        for attribute in attributes.iter_mut() {
            list.push(ptr::from_mut(attribute), GFP_KERNEL)?;
        }
        list.push(ptr::null_mut(), GFP_KERNEL)?;

        let plain = bindings::config_item_type {
            ct_owner: owner,
            ct_item_ops: ptr::null(),
            ct_group_ops: ptr::null(),
            ct_attrs: ptr::null_mut(),
            ct_bin_attrs: ptr::null_mut(),
        };
        // INVARIANT: The vectors do not change any more, so their contents stay where they are.
        Ok(KBox::new(
            Self {
                subsystem: plain,
                group: bindings::config_item_type {
                    ct_group_ops: &Self::GROUP_OPERATIONS,
                    ..plain
                },
                item: bindings::config_item_type {
                    ct_item_ops: &Self::ITEM_OPERATIONS,
                    ct_attrs: list.as_mut_ptr(),
                    ..plain
                },
                _list: list,
                _attributes: attributes,
                _items: PhantomData,
            },
            GFP_KERNEL,
        )?)
    }
}

fn attributes<I: Files>(
    owner: *mut bindings::module,
) -> Result<KVec<bindings::configfs_attribute>> {
    let callbacks = Callbacks::<I>::ALL;
    if I::FILES.len() > callbacks.len() {
        return Err(E2BIG);
    }

    let mut attributes = KVec::new();
    for (file, (show, store)) in I::FILES.iter().zip(callbacks) {
        let is_writable = I::is_writable(*file);
        let attribute = bindings::configfs_attribute {
            ca_name: I::name(*file).as_char_ptr(),
            ca_owner: owner,
            ca_mode: I::mode(*file),
            show: Some(show),
            store: is_writable.then_some(store),
        };
        attributes.push(attribute, GFP_KERNEL)?;
    }
    Ok(attributes)
}

/// An item and what configfs knows of it.
///
/// # Invariants
///
/// Once configfs has it, it is not moved, and it is freed by the release callback.
#[pin_data]
struct Node<I: Files> {
    #[pin]
    item: Opaque<bindings::config_item>,
    #[pin]
    object: I,
}

impl<I: Files> Node<I> {
    fn new(object: impl PinInit<I, Error>) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                item: Opaque::zeroed(),
                object <- object,
            }),
            GFP_KERNEL,
        )
    }

    /// The node around an item.
    ///
    /// # Safety
    ///
    /// `item` points into a `Node<I>`.
    unsafe fn of(item: *mut bindings::config_item) -> *mut Self {
        let item = Opaque::cast_from(item.cast_const()).cast_mut();

        // SAFETY: By the safety requirements of this function.
        unsafe { container_of!(item, Self, item) }
    }
}

/// # Safety
///
/// Called by configfs: `group` is that of a registered `Subsystem<T>`, `name` is a C string.
unsafe extern "C" fn make_callback<T: Items>(
    group: *mut bindings::config_group,
    name: *const c_char,
) -> *mut bindings::config_item {
    // SAFETY: By the safety requirements of this function; configfs waits for its callbacks before
    // it unregisters a subsystem.
    let subsystem = unsafe { Subsystem::<T>::of(group) };
    // SAFETY: By the safety requirements of this function.
    let c_name = unsafe { CStr::from_char_ptr(name) };

    let node = match subsystem.items.make(c_name).and_then(Node::new) {
        Ok(node) => node,
        Err(error) => return error.to_ptr(),
    };
    // INVARIANT: configfs gets the node here and treats it as pinned.
    // SAFETY: The node is not moved out of; see above.
    let node = KBox::into_raw(unsafe { Pin::into_inner_unchecked(node) });
    // SAFETY: The item is zeroed memory inside the node; the name is copied; the type lives as long
    // as the subsystem, which no item outlives.
    unsafe {
        let item = (*node).item.get();
        bindings::config_item_init_type_name(item, name, &subsystem.types.item);
        item
    }
}

/// # Safety
///
/// Called by configfs once for each item that [`make_callback`] made, when its directory is gone.
unsafe extern "C" fn drop_callback<T: Items>(
    group: *mut bindings::config_group,
    item: *mut bindings::config_item,
) {
    // SAFETY: By the safety requirements of this function, as in `make_callback`; the item is
    // released only when the reference is put below.
    let (subsystem, node) = unsafe { (Subsystem::<T>::of(group), &*Node::<T::Item>::of(item)) };

    subsystem.items.removed(&node.object);
    // SAFETY: This is the reference with which the item was initialised.
    unsafe { bindings::config_item_put(item) };
}

/// # Safety
///
/// Called by configfs when the last reference to an item that [`make_callback`] made is gone.
unsafe extern "C" fn release_callback<T: Items>(item: *mut bindings::config_item) {
    // SAFETY: The node came from a box in `make_callback` and nobody refers to it any more. It is
    // dropped where it is.
    drop(unsafe { Pin::new_unchecked(KBox::from_raw(Node::<T::Item>::of(item))) });
}

type Show = unsafe extern "C" fn(*mut bindings::config_item, *mut c_char) -> isize;
type Store = unsafe extern "C" fn(*mut bindings::config_item, *const c_char, usize) -> isize;

/// The callbacks of the files. configfs does not tell a callback for which file it is called, so each
/// has its own.
struct Callbacks<I>(PhantomData<I>);

macro_rules! callbacks {
    ($($index:literal),*) => {
        [$((show_callback::<I, $index>, store_callback::<I, $index>)),*]
    };
}

impl<I: Files> Callbacks<I> {
    const ALL: [(Show, Store); 16] =
        callbacks![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
}

/// # Safety
///
/// Called by configfs for the file at `INDEX`: `item` is inside a `Node<I>` that is not freed
/// meanwhile, and `page` has `PAGE_SIZE` bytes for this call.
unsafe extern "C" fn show_callback<I: Files, const INDEX: usize>(
    item: *mut bindings::config_item,
    page: *mut c_char,
) -> isize {
    let Some(file) = I::FILES.get(INDEX) else {
        return ENOENT.to_errno() as isize;
    };
    // SAFETY: By the safety requirements of this function.
    let node = unsafe { &*Node::<I>::of(item) };

    // SAFETY: A page is longer than what is shown at most, and ours for this call.
    unsafe { files::show(&node.object, *file, page) }
}

/// # Safety
///
/// Called by configfs for the file at `INDEX`: `item` is inside a `Node<I>` that is not freed
/// meanwhile, and `text` has `len` bytes for this call.
unsafe extern "C" fn store_callback<I: Files, const INDEX: usize>(
    item: *mut bindings::config_item,
    text: *const c_char,
    len: usize,
) -> isize {
    let Some(file) = I::FILES.get(INDEX) else {
        return ENOENT.to_errno() as isize;
    };
    // SAFETY: By the safety requirements of this function.
    let node = unsafe { &*Node::<I>::of(item) };

    // SAFETY: By the safety requirements of this function.
    unsafe { files::store(&node.object, *file, text, len) }
}
